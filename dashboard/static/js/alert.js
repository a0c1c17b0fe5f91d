// One alert: its figures, drawn anew whenever something has changed.
import "./alerts.js";
import { draw } from "./graph.js";
import { fetchJSON, onChange } from "./live.js";

const { drawings } = document.getElementById("live").dataset;
const refresh = onChange(async () => {
  const found = await fetchJSON(drawings);
  let any = false;
  for (const name of ["spread", "course"]) {
    const place = document.getElementById(name);
    place.closest(".card").hidden = !found[name];
    if (found[name]) draw(place, found[name]);
    any ||= Boolean(found[name]);
  }
  document.querySelector(".alert-figures").hidden = !any;
}, 1000);
refresh();
