// The causal graph and the inspector. A click on an event, in the table or the graph, shows it; the address says which.
import "./app.js";
import { draw } from "./graph.js";
import { fetchJSON, onChange } from "./live.js";

const live = document.getElementById("live");
const graph = document.getElementById("graph");
const inspector = document.getElementById("inspector");

const shown = () => inspector.querySelector("[data-shown-event]")?.dataset;

function mark() {
  const { shownSource, shownEvent } = shown() ?? {};
  for (const row of live.querySelectorAll("tr[data-event]")) {
    row.toggleAttribute("data-kept-shown", row.dataset.source === shownSource && row.dataset.event === shownEvent);
  }
}

// What fills the inspector takes turns, so that an answer to an older question never covers a newer one's.
let turn = Promise.resolve();
let asked = 0;
function fill(source, event, swap) {
  const mine = ++asked;
  turn = turn.then(async () => {
    if (mine !== asked) return;
    const parameters = new URLSearchParams({ source, event, version: version() });
    await htmx.ajax("GET", `${live.dataset.event}?${parameters}`, { target: "#inspector", swap });
    mark();
  }).catch((error) => console.warn("Not shown:", error));
  return turn;
}

function inspect(source, event) {
  const parameters = new URLSearchParams({ source, event });
  const page = new URLSearchParams(location.search).get("page");
  if (page) parameters.set("page", page);
  history.replaceState(null, "", `?${parameters}`);
  fill(source, event, "innerHTML");
}

/** Graph and inspector show the version that the text and the table have come to show. */
const version = () => document.getElementById("about").dataset.version;
const redraw = async () => draw(graph, await fetchJSON(`${live.dataset.drawing}?version=${version()}`));
async function follow() {
  await htmx.ajax("GET", live.dataset.fragment, { target: "#live", swap: "innerMorph" });
  await turn;
  const { shownSource, shownEvent } = shown() ?? {};
  await Promise.all([redraw(), shownEvent !== undefined && fill(shownSource, shownEvent, "innerMorph")]);
}
onChange(follow);
redraw();

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
