// What every page does: the clock, the live connection, keys, copying, colours.
import "./clock.js";
import "./live.js";
import "./notify.js";
import "./search.js";
import "./take.js";
import "./times.js";

const icons = document.getElementById("icons").content.children; // sun, moon, system, check, copy
const said = document.getElementById("said");
const help = document.getElementById("help");

// --- Colours: light → dark → as the system
const themes = [["light", 0, "light"], ["dark", 1, "dark"], [null, 2, "as the system"]];
const themeButton = document.getElementById("theme");
const store = (value) => {
  try { value === null ? localStorage.removeItem("theme") : localStorage.setItem("theme", value); } catch { /* not kept */ }
};
const chosen = () => {
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch { /* as the system */ }
  return themes.findIndex(([value]) => value === kept);
};
function showTheme() {
  const [, icon, word] = themes[chosen()] ?? themes[2];
  themeButton.replaceChildren(icons[icon].cloneNode(true));
  themeButton.ariaLabel = `Colours: ${word}`;
}
themeButton.onclick = () => {
  store(themes[(chosen() + 1) % themes.length][0]);
  dispatchEvent(new Event("theme"));
  showTheme();
};
showTheme();

// --- Keys
document.getElementById("help-open").onclick = () => help.showModal();
function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))];
  (row.querySelector("a") ?? row).focus();
}
const keys = {
  "/": () => document.getElementById("search").select(),
  "?": () => help.showModal(),
  j: () => step(1),
  k: () => step(-1),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

// --- Copying
async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.replaceChildren(icons[3].cloneNode(true));
    said.textContent = "Copied.";
    setTimeout(() => {
      button.replaceChildren(icons[4].cloneNode(true));
      said.textContent = "";
    }, 1500);
  } catch {
    said.textContent = "This browser did not allow copying.";
  }
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

const entries = document.querySelector(".entries");

// --- How many alerts are open, in the window's title and on the app's icon, where there is one
const title = document.title;
function badge() {
  const open = Number.parseInt(document.getElementById("alert-count")?.textContent ?? "", 10) || 0;
  document.title = open ? `(${open}) ${title}` : title;
  if (open) navigator.setAppBadge?.(open).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
}
new MutationObserver(badge).observe(entries, { childList: true, subtree: true, characterData: true });
badge();

// --- On a narrow screen the pages' entries are scrolled: to the one that this is
const here = entries.querySelector(".active")?.getBoundingClientRect();
if (here) entries.scrollLeft += (here.left + here.right - innerWidth) / 2;

// --- Forms that need no button
document.addEventListener("change", (event) => event.target.closest("[data-submit-on-change]")?.requestSubmit());
document.addEventListener("input", (event) => {
  const shown = document.getElementById(event.target.dataset.shown);
  if (shown) shown.value = event.target.value;
});
