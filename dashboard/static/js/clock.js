// Keeps durations counting: <time data-since> and <time data-until>, in milliseconds since 1970 by the server's clock.

const UNITS = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];

// The server's clock less this one.
const ahead = Number(document.body.dataset.now) * 1000 - Date.now();
const offset = Math.abs(ahead) > 2000 ? ahead : 0;

/** The same words as `whole` in dashboard/pages/wording.py. */
export function whole(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  for (const [size, unit, below, belowUnit] of UNITS) {
    if (total >= size) {
      const rest = Math.floor((total % size) / below);
      return `${Math.floor(total / size)} ${unit}` + (rest ? ` ${rest} ${belowUnit}` : "");
    }
  }
  return `${total} s`;
}

export const now = () => Date.now() + offset;

function tick() {
  for (const element of document.querySelectorAll("time[data-since], time[data-until]")) {
    const { since, until } = element.dataset;
    const words = whole((since ? now() - Number(since) : Number(until) - now()) / 1000);
    if (element.textContent !== words) element.textContent = words;
  }
  setTimeout(tick, 1000 - (now() % 1000));
}
tick();
