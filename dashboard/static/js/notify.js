// Where a person wants it, this browser says when an alert is raised, whatever window it shows. Off until asked for, and
// kept in this browser alone.
import { now } from "./clock.js";
import { fetchJSON, onHeard } from "./live.js";

const KEY = "notify"; // since when, as the server writes moments; not there: not wanted
const kept = () => {
  try { return localStorage.getItem(KEY); } catch { return null; }
};
const keep = (moment) => {
  try { moment ? localStorage.setItem(KEY, moment) : localStorage.removeItem(KEY); } catch { /* for this page only */ }
};
const possible = "Notification" in window && window.isSecureContext;
const wanted = () => possible && Notification.permission === "granted" && kept() !== null;

/** The alerts that nobody here was told of, but for those that another one explains. */
async function tell() {
  if (!wanted()) return;
  const since = kept();
  const { items } = await fetchJSON("/api/alerts?state=open");
  const fresh = items.filter(({ opened_at: at, explained_by: cause }) => at > since && cause === null);
  if (!fresh.length) return;
  keep(fresh.map(({ opened_at: at }) => at).sort().at(-1));
  for (const { id, sentence, choreography, service } of fresh) {
    const said = new Notification(sentence, { body: choreography, tag: service || `alert-${id}` });
    said.onclick = () => {
      window.focus();
      location.assign(`/alerts/${id}`);
    };
  }
}
onHeard((changed) => changed.includes("alerts") && tell().catch((error) => console.warn("Not told:", error)));

/** The button that switches it; it is not shown where the browser can't. */
export function offer(button) {
  if (!button || !possible) return;
  const show = () => {
    button.textContent = wanted() ? "Told in this browser: stop" : "Tell me in this browser";
    button.setAttribute("aria-pressed", String(wanted()));
    if (Notification.permission === "denied") button.textContent = "This browser does not let us tell you";
    button.disabled = Notification.permission === "denied";
  };
  button.onclick = async () => {
    if (wanted()) keep(null);
    else if ((await Notification.requestPermission()) === "granted") keep(new Date(now()).toISOString());
    show();
  };
  show();
  button.hidden = false;
}
