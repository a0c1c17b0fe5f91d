// What people do with alerts: ticking many, by mouse or key, and giving a reason where one is needed.
import "./app.js";
import { offer } from "./notify.js";

const all = document.getElementById("tick-all");
const ticks = () => [...document.querySelectorAll('input[form="alert-deeds"][name="alert"]')];

function count() {
  const ticked = ticks().filter((tick) => tick.checked).length;
  document.getElementById("ticked").textContent = ticked ? `${ticked} ticked` : "Tick all";
  all.checked = ticked > 0 && ticked === ticks().length;
  all.indeterminate = ticked > 0 && !all.checked;
  for (const button of document.querySelectorAll("#alert-deeds [name=deed]")) button.disabled = !ticked;
}

if (all) {
  all.addEventListener("change", () => {
    for (const tick of ticks()) tick.checked = all.checked;
    count();
  });
  document.addEventListener("change", (event) => event.target.form?.id === "alert-deeds" && count());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    document.activeElement.closest("[data-row]")?.querySelector('[name="alert"]')?.click();
  });
  new MutationObserver(count).observe(document.getElementById("live"), { childList: true, subtree: true });
  count();
}

// Whoever closes transactions, or lets events never go out, says why; for all else that is as one likes.
document.addEventListener("click", (event) => {
  const deed = event.target.closest(".alert-deeds [name=deed]");
  if (deed?.form?.elements.reason) deed.form.elements.reason.required = ["abandon", "discard"].includes(deed.value);
});

offer(document.getElementById("notify"));
