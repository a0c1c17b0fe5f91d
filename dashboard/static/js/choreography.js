// The discovered map: drawn anew from figures; the slider says how much of it. What is asked for stands in the address.
import "./app.js";
import { draw } from "./graph.js";
import { fetchJSON, onChange } from "./live.js";

const SETTLED = 150; // milliseconds that the slider rests before what it says is drawn
const EVERY = 5000;

const live = document.getElementById("live");
const map = document.getElementById("map");
const slider = document.getElementById("detail");

async function redraw() {
  const { drawing, detail, said } = await fetchJSON(`${live.dataset.drawing}${location.search}`);
  draw(map, drawing);
  if (document.activeElement !== slider) slider.value = detail;
  document.getElementById("detail-said").value = said;
}

/** The chosen detail goes into the address, and into those that lead to the same page. */
function remember(detail) {
  const within = (address) => {
    const asked = new URLSearchParams(address);
    asked.set("detail", detail);
    return `?${asked}`;
  };
  history.replaceState(null, "", within(location.search));
  for (const link of live.querySelectorAll("a[data-link]")) link.setAttribute("href", within(link.search));
}

if (live) {
  onChange(async () => {
    await redraw();
    await htmx.ajax("GET", `${live.dataset.fragment}${location.search}`, { target: "#live", swap: "innerMorph" });
  }, EVERY);
  redraw();
  let resting;
  slider.addEventListener("input", () => {
    clearTimeout(resting);
    resting = setTimeout(() => {
      remember(slider.value);
      redraw();
    }, SETTLED);
  });

  // A box or an arrow opens exactly the transactions that it stands for.
  map.addEventListener("graph:select", ({ detail }) => {
    const narrowed = new URLSearchParams(document.getElementById("summary").dataset.narrowed);
    if (detail.kind === "type") narrowed.set("event_type", detail.type);
    else {
      narrowed.set("directly_after", detail.source);
      narrowed.set("event_type", detail.target);
    }
    location.assign(`/transactions?${narrowed}`);
  });
  document.addEventListener("click", ({ target }) => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(target)) menu.open = false;
  });
}

// Empty fields do not belong into the address.
document.getElementById("asking").addEventListener("submit", ({ target }) => {
  for (const field of target.elements) if (field.name && !field.value) field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of document.getElementById("asking").elements) field.disabled = false;
});
