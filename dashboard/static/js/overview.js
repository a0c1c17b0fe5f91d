// The map: drawn anew from figures whenever something has changed; zoom and selection stay. Of the past, drawn once.
import "./app.js";
import { draw } from "./graph.js";
import { fetchJSON, onChange } from "./live.js";

const AT_MOST_EVERY = 500; // milliseconds: drawing takes the most of what a page does

const map = document.getElementById("map");
const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
async function refresh() {
  const drawing = await fetchJSON(map.dataset.figure);
  await painted(); // first what is read, which comes at the same time, then what is looked at
  draw(map, drawing);
}
if (map.dataset.still === undefined) onChange(refresh, AT_MOST_EVERY)();
else refresh();

// A box or an arrow opens exactly the transactions that it stands for, of the range of time that is shown; a group of
// services opens into its services. A service opens its page, which says what waits for it and whom to call: those that
// have an event of it are the ones that it did answer. Of the past, which that page does not tell of, it opens these.
const FILTERS = {
  service: ({ service }) => ({ service }),
  type: ({ type }) => ({ event_type: type }),
  flow: ({ awaited, types }) => (awaited.length ? { waiting_for: awaited[0] } : { event_type: types[0] }),
  hop: ({ awaited, services }) => (awaited.length ? { waiting_for: awaited[0] } : { service: services[0] }),
};
const GROUP = /^(.+) \(\d+ services\)$/s;

function opened(detail) {
  const here = new URLSearchParams(location.search);
  const group = detail.kind === "service" && here.get("fold") && GROUP.exec(detail.service);
  if (group) {
    here.append("unfold", group[1]);
    return `?${here}`;
  }
  if (detail.kind === "service" && detail.service && map.dataset.still === undefined) {
    return `/services/${encodeURIComponent(detail.service)}`;
  }
  if (detail.kind === "topic") return `/ingestion#topics-title`;
  const filter = FILTERS[detail.kind]?.(detail);
  if (!filter) return null;
  for (const name of ["since", "until"]) if (here.has(name)) filter[name] = here.get(name);
  return `/transactions?${new URLSearchParams(filter)}`;
}
map.addEventListener("graph:select", ({ detail }) => {
  const address = opened(detail);
  if (address) location.assign(address);
});

// What was not chosen does not belong into the address.
document.addEventListener("input", ({ target }) => target.removeAttribute("data-unset"));
document.addEventListener("submit", ({ target }) => {
  if (!target.matches(".narrow form, .range form")) return;
  for (const field of target.elements) if (field.name && (!field.value || "unset" in field.dataset)) field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll(".narrow [disabled], .range [disabled]")) field.disabled = false;
});
