// The causal graph and the inspector. A click on an event, in the table or the graph, shows it; the address says which.
import "./app.js";
import { draw } from "./graph.js";
import { inView } from "./inview.js";
import { fetchJSON, onChange } from "./live.js";
import { replay } from "./replay.js";
import { onceAtATime } from "./turns.js";

const live = document.getElementById("live");
const graph = document.getElementById("graph");
const inspector = document.getElementById("inspector");

const shown = () => inspector.querySelector("[data-shown-event]")?.dataset;

function mark() {
  const { shownSource, shownEvent } = shown() ?? {};
  const at = Number(new URLSearchParams(location.search).get("at") || Infinity);
  live.toggleAttribute("data-past", at < Infinity);
  for (const row of live.querySelectorAll("tr[data-event]")) {
    row.toggleAttribute("data-kept-shown", row.dataset.source === shownSource && row.dataset.event === shownEvent);
    row.toggleAttribute("data-kept-later", Number(row.dataset.known) > at);
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

/** The address always holds the whole view. */
function remember(changes) {
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) parameters.delete(name);
    else parameters.set(name, value);
  }
  history.replaceState(null, "", `${location.pathname}?${parameters}`);
  for (const link of document.querySelectorAll("#views a")) {
    parameters.set("view", link.dataset.view);
    link.href = `?${parameters}`;
  }
  mark();
}

function inspect(source, event) {
  remember({ source, event });
  fill(source, event, "innerHTML");
}

/** Graph and inspector show the version that the text and the table have come to show. */
const version = () => document.getElementById("about").dataset.version;
let seen; // the view that is drawn
const redraw = onceAtATime(async () => {
  const { view = "causal", at } = Object.fromEntries(new URLSearchParams(location.search));
  const parameters = new URLSearchParams({ view, version: version(), ...(at && { at }) });
  draw(graph, await fetchJSON(`${live.dataset.drawing}?${parameters}`), view !== seen);
  seen = view;
});

live.addEventListener("click", (click) => {
  const link = click.target.closest("#views a");
  if (!link || click.ctrlKey || click.metaKey) return;
  click.preventDefault();
  for (const one of link.parentElement.children) one.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  remember({ view: link.dataset.view });
  redraw();
});

replay(document.getElementById("replay"), { remember, redraw, version });
async function follow() {
  await htmx.ajax("GET", `${live.dataset.fragment}${location.search}`, { target: "#live", swap: "innerMorph" });
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
inView(inspector);
