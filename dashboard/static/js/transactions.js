// Rows that are shown follow what happens in their place; new ones are announced, and come when the button is pressed.
import "./app.js";
import { onChange } from "./live.js";

const AT_MOST_EVERY = 1000;

const news = document.getElementById("news");
const list = document.getElementById("live");
let renewed = false; // whether the list is to be made anew

async function follow() {
  if (renewed) {
    renewed = false;
    news.hidden = true;
    await htmx.ajax("GET", list.dataset.list, { target: "#live", swap: "innerMorph" });
    return;
  }
  const shown = [...list.querySelectorAll("tr[data-row]")].map((row) => row.id.slice(2));
  await htmx.ajax("GET", `${list.dataset.shown}&shown=${shown}`, { target: "#rows", swap: "innerMorph" });
  news.hidden = document.getElementById("newer").value === "0";
}

if (list) {
  const refresh = onChange(follow, AT_MOST_EVERY);
  news.addEventListener("click", () => {
    renewed = true;
    refresh();
  });
}

// Empty fields do not belong into the address.
document.getElementById("filters").addEventListener("submit", ({ target }) => {
  for (const field of target.elements) if (field.name && !field.value) field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of document.getElementById("filters").elements) field.disabled = false;
});
