// The live map: drawn anew from figures whenever something has changed; zoom and selection stay.
import "./app.js";
import { draw } from "./graph.js";
import { fetchJSON, onChange } from "./live.js";

const map = document.getElementById("map");

const refresh = onChange(async () => draw(map, await fetchJSON(`/live/overview.json${location.search}`)));
refresh();

// A box or an arrow opens exactly the transactions that it stands for.
const FILTERS = {
  service: ({ service }) => ({ service }),
  type: ({ type }) => ({ event_type: type }),
  flow: ({ awaited, types }) => (awaited.length ? { waiting_for: awaited[0] } : { event_type: types[0] }),
};
map.addEventListener("graph:select", ({ detail }) => {
  const filter = FILTERS[detail.kind]?.(detail);
  if (filter) location.assign(`/transactions?${new URLSearchParams(filter)}`);
});
