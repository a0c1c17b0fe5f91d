// The timezone that times of day are shown in: chosen in a dialog, kept in a cookie by the server.

const dialog = document.getElementById("times");
const field = dialog.querySelector("[name=zone]");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

function open() {
  const names = document.getElementById("timezones");
  if (!names.children.length) {
    names.append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((name) => Object.assign(document.createElement("option"), { value: name })));
  }
  document.getElementById("times-here").textContent = `As this computer: ${here}`;
  dialog.querySelector("[name=next]").value = location.pathname + location.search; // modules change it
  dialog.showModal();
}

document.addEventListener("click", ({ target }) => target.closest("#times-open") && open());
document.getElementById("times-close").addEventListener("click", () => dialog.close());
// A button that names a zone is instead of the field, not beside it.
dialog.querySelector("form").addEventListener("submit", ({ submitter }) => {
  if (submitter.id === "times-here") field.value = here;
  else if (submitter.value) field.disabled = true;
});
