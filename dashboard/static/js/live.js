// The connection to the server: says when something watched has changed. What is shown is then fetched anew, but for
// what comes with the news, where an element names its addresses in [data-pushed]. A message that is lost costs a moment and
// nothing else.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10000;
const SILENT_AFTER = 15000; // pings come every ten seconds
const LOGGED_OUT = 4401;
const AT_LEAST_EVERY = 5000; // rates fall and deadlines pass without any message

const watched = document.body.dataset.watch.split(" ").filter(Boolean);
const heeded = new Set(); // who hears of changes though nobody looks at the page
const badge = document.getElementById("connection");
const came = new Map(); // address → content, as it came last; what is not sent again is as it was
let usable = false; // it belongs to the news that are being heeded
let socket, wait = FIRST_WAIT, heard = 0, refreshed = Date.now(), missed = false;

function show(state, words) {
  const word = badge.querySelector(".connection-word");
  if (badge.dataset.state === state && word.textContent === words) return;
  badge.dataset.state = state;
  word.textContent = words;
}

/** Tells the page that what it shows may be old: htmx fragments listen to "live" on the body, and so do modules. */
function refresh(changed, pushed = false) {
  usable = pushed;
  if (document.hidden) {
    missed = true;
    return;
  }
  refreshed = Date.now();
  document.body.dispatchEvent(new CustomEvent("live", { detail: { changed } }));
}

/** A page that nobody looks at rests: it hears that it is old, and no more. */
function subscribe() {
  const shown = document.hidden ? "" : (document.querySelector("[data-pushed]")?.dataset.pushed ?? "");
  const addresses = shown.split(" ").filter(Boolean).map(plain);
  socket.send(JSON.stringify({ watch: [...new Set([...watched, "alerts"])], shown: addresses }));
}

const plain = (address) => {
  const { pathname, search } = new URL(address, location);
  return pathname + search;
};
const arrived = (address) => (usable ? came.get(plain(address)) : undefined);
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const content = ctx.request.method === "GET" ? arrived(ctx.request.action) : undefined;
  if (content !== undefined) ctx.fetch = async () => new Response(content);
});

/** A page that cannot be made anew stays as it was, and says so until it can. */
document.addEventListener("htmx:before:response", (event) => {
  const { request, response, target } = event.detail.ctx;
  if (target?.id !== "live" || request.method !== "GET") return;
  if (response.status >= 500) {
    event.preventDefault();
    show("lost", "Not refreshed");
  } else if (socket?.readyState === WebSocket.OPEN) {
    show("live", "Live");
  }
});

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws/live/`);
  socket.onopen = () => {
    const again = wait !== FIRST_WAIT || heard !== 0;
    heard = Date.now();
    wait = FIRST_WAIT;
    came.clear();
    subscribe();
    show("live", "Live");
    if (again) refresh(watched); // catch up on what was missed meanwhile
  };
  socket.onmessage = ({ data }) => {
    heard = Date.now();
    const { changed, shown } = JSON.parse(data);
    if (!changed) return;
    for (const address in shown) came.set(address, shown[address]);
    for (const act of heeded) act(changed);
    if (changed.some((name) => watched.includes(name))) refresh(changed, shown !== undefined);
  };
  socket.onclose = ({ code }) => {
    if (code === LOGGED_OUT) refresh(watched); // which says so
    show("lost", "Reconnecting …");
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  };
}

if (watched.length) {
  connect();
  setInterval(() => {
    if (socket.readyState === WebSocket.OPEN && Date.now() - heard > SILENT_AFTER) socket.close();
    if (Date.now() - refreshed > AT_LEAST_EVERY) refresh(watched);
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (socket.readyState === WebSocket.OPEN) subscribe();
    if (!document.hidden && missed) {
      missed = false;
      refresh(watched);
    }
  });
} else {
  badge.hidden = true;
}

/**
 * Runs `act` after each change, at most one at a time, and begins one `every` so many milliseconds at most; changes that
 * come meanwhile make one more run.
 */
export function onChange(act, every = 0) {
  let running = false, again = false, began = 0, later;
  const run = async () => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    clearTimeout(later);
    do {
      again = false;
      began = Date.now();
      try { await act(); } catch (error) { console.warn("Not refreshed:", error); }
    } while (again);
    running = false;
  };
  document.body.addEventListener("live", () => {
    clearTimeout(later);
    const rest = began + every - Date.now();
    if (rest > 0) later = setTimeout(run, rest);
    else run();
  });
  return run;
}

/** Runs `act` with the names of what changed, hidden page or not. */
export function onHeard(act) {
  heeded.add(act);
}

export async function fetchJSON(address) {
  const content = arrived(address);
  if (content !== undefined) return JSON.parse(content);
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.json();
}
