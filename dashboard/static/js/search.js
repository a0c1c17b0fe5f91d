// The search field in the header: offers what a text may mean while it is typed; arrows walk, Enter opens.
import { onceAtATime } from "./turns.js";

const WAIT = 120; // milliseconds without a key until the server is asked

const form = document.querySelector("form.search");
const input = document.getElementById("search");
const found = document.getElementById("found");
let later;
let asked = "";

const options = () => [...found.querySelectorAll("[role=option]")];
const current = () => found.querySelector('[aria-selected="true"]');

function close() {
  clearTimeout(later);
  found.hidden = true;
  input.ariaExpanded = "false";
  input.removeAttribute("aria-activedescendant");
}

const ask = onceAtATime(async () => {
  const text = input.value.trim();
  if (!text) return close();
  const hits = await fetch(`${form.dataset.found}?${new URLSearchParams({ q: text })}`)
    .then((response) => (response.ok ? response.text() : null))
    .catch(() => null); // the page may be left meanwhile
  if (hits === null || document.activeElement !== input) return;
  asked = text;
  found.innerHTML = hits; // made by our own templates, which escape
  found.hidden = false;
  input.ariaExpanded = "true";
});

function choose(option) {
  for (const one of options()) one.ariaSelected = String(one === option);
  if (option) {
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else input.removeAttribute("aria-activedescendant");
}

input.addEventListener("input", () => {
  clearTimeout(later);
  later = setTimeout(ask, WAIT);
});
input.addEventListener("focus", () => input.value.trim() && ask());
input.addEventListener("keydown", (event) => {
  const all = options();
  const at = all.indexOf(current());
  if (event.key === "ArrowDown" && all.length) choose(all[(at + 1) % all.length]);
  else if (event.key === "ArrowUp" && all.length) choose(all[(at - 1 + all.length) % all.length]);
  else if (event.key === "Enter" && current() && asked === input.value.trim()) current().click();
  else if (event.key === "Escape" && !found.hidden) close();
  else return;
  event.preventDefault();
});
document.addEventListener("pointerdown", (event) => form.contains(event.target) || close());
form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || close());
