// New transactions are announced, not shoved in: the list changes when the button is pressed.
import "./app.js";

const news = document.getElementById("news");
const list = document.getElementById("live");
const first = !new URLSearchParams(location.search).has("cursor");

document.body.addEventListener("live", ({ detail }) => {
  if (news && first && detail.changed.includes("transactions")) news.hidden = false;
});
news?.addEventListener("click", () => {
  news.hidden = true;
  list.dispatchEvent(new Event("show"));
});

// Empty fields do not belong into the address.
document.getElementById("filters").addEventListener("submit", ({ target }) => {
  for (const field of target.elements) if (field.name && !field.value) field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of document.getElementById("filters").elements) field.disabled = false;
});
