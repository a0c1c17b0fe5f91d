// The causal graph and the inspector. A click on an event, in the table or the graph, shows it; the address says which.
import "./app.js";
import { draw } from "./graph.js";
import { fetchJSON, onChange } from "./live.js";

const live = document.getElementById("live");
const graph = document.getElementById("graph");
const inspector = document.getElementById("inspector");

const refresh = onChange(async () => draw(graph, await fetchJSON(live.dataset.drawing)));
refresh();

const shown = () => inspector.querySelector("[data-shown-event]")?.dataset;

function mark() {
  const { shownSource, shownEvent } = shown() ?? {};
  for (const row of live.querySelectorAll("tr[data-event]")) {
    row.toggleAttribute("data-kept-shown", row.dataset.source === shownSource && row.dataset.event === shownEvent);
  }
}

let asked = 0;
async function inspect(source, event) {
  const parameters = new URLSearchParams({ source, event });
  const page = new URLSearchParams(location.search).get("page");
  if (page) parameters.set("page", page);
  history.replaceState(null, "", `?${parameters}`);
  const mine = ++asked;
  await htmx.ajax("GET", `${live.dataset.event}?${parameters}`, { target: "#inspector", swap: "innerHTML" });
  if (mine === asked) mark();
}

live.addEventListener("click", (click) => {
  const row = click.target.closest("tr[data-event]");
  if (!row || click.target.closest(".copy") || click.ctrlKey || click.metaKey) return;
  click.preventDefault();
  inspect(row.dataset.source, row.dataset.event);
});
graph.addEventListener("graph:select", ({ detail }) => {
  if (detail.kind === "event") inspect(detail.source, detail.id);
});
document.body.addEventListener("htmx:after:swap", mark);
mark();
