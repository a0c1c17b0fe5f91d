// The slider over the moments at which something became known of a transaction. At its right end it is now.
import { onceAtATime } from "./turns.js";

const STEP = 900; // milliseconds between two moments while it plays

export function replay(box, { remember, redraw, version }) {
  const slider = box.querySelector("input");
  const button = box.querySelector("button");
  const said = box.querySelector("#then");
  const idle = "Drag to see what was known when.";
  const moments = box.dataset.moments.split(",").filter(Boolean).map(Number);
  if (moments.length < 2) return;
  const asked = Number(box.dataset.at ?? NaN);
  const first = moments.findLastIndex((moment) => moment <= asked);
  if (first >= 0) slider.value = first;

  const show = onceAtATime(async () => {
    const at = moments[slider.value];
    slider.setAttribute("aria-valuetext", at ? new Date(at).toISOString() : "now");
    remember({ at: at ?? null });
    if (at) await htmx.ajax("GET", `${box.dataset.then}?${new URLSearchParams({ at, version: version() })}`, { target: "#then", swap: "innerHTML" });
    else said.textContent = idle;
    await redraw();
  });
  slider.addEventListener("input", show);
  if (first < 0 && Number(slider.value) < moments.length) show(); // it was moved before this was there

  let playing;
  function stop() {
    clearInterval(playing);
    playing = undefined;
    button.ariaLabel = "Replay";
    button.removeAttribute("aria-pressed");
  }
  button.addEventListener("click", () => {
    if (playing) return stop();
    if (Number(slider.value) >= moments.length) slider.value = 0;
    button.ariaLabel = "Stop the replay";
    button.setAttribute("aria-pressed", "true");
    show();
    playing = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (Number(slider.value) >= moments.length) stop();
    }, STEP);
  });
}
