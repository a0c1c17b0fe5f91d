// Draws what dashboard/graphs made. `draw(element, drawing)` may be called again with a newer drawing at any time: zoom,
// selection and scroll stay. Clicks and Enter emit "graph:select" with the customdata of what was chosen.
//
// Needs css/graph.css and the global `Plotly` (static/vendor/plotly). Works under a content security policy without
// 'unsafe-inline' where the page links vendor/plotly/plotly.css as that file says.

import { named } from "./rows.js";
import { onceAtATime } from "./turns.js";

const SMALLEST = 0.93; // narrower than this, the graph scrolls instead of shrinking: its words stay ten pixels high
const REFERENCE = ["PaymentAuthorized 0123456789", 171.2]; // a text and its width in 12px Arial
const CONFIG = { displayModeBar: false, doubleClick: "reset", showTips: false, scrollZoom: false, responsive: false };
const WHOLE = () => true;
// What a first drawing begins with, each a task of its own: new to Plotly, all at once would hold up the page.
const PARTS = [() => false, (trace) => trace.mode === "lines", (trace) => trace.mode !== "text"];
const graphs = new Map();

// `anew`: it is another one, not a newer one, and begins with what there is to be seen first.
export function draw(element, drawing, anew = false) {
  let graph = graphs.get(element);
  if (!graph) {
    graph = new Graph(element);
    graphs.set(element, graph);
  }
  if (anew) graph.begun = false;
  const text = JSON.stringify(drawing);
  if (text === graph.text) return; // nothing new: leave what is there, with the hover label on it, alone
  graph.text = text;
  graph.drawing = drawing;
  graph.render();
}

class Graph {
  constructor(element) {
    this.element = element;
    this.begun = false; // what is to be seen first has been in sight
    this.at = null; // id of the stop that the keyboard is on
    element.classList.add("cs-graph");
    this.stage = add(element, "div", "cs-graph-stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "graph, walked with the arrow keys");
    this.stage.setAttribute("aria-labelledby", element.getAttribute("aria-labelledby") ?? "");
    this.plot = add(this.stage, "div");
    this.ring = add(this.stage, "div", "cs-graph-ring");
    this.ring.hidden = true;
    this.says = add(element, "div", "cs-graph-says");
    this.says.setAttribute("aria-live", "polite");
    this.twin = add(element, "details", "cs-graph-twin");
    add(this.twin, "summary").textContent = "As a table";
    this.table = add(this.twin, "table");
    this.twin.addEventListener("toggle", () => this.tabulate());
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("scroll", () => this.hint(), { passive: true });
    this.plotted = onceAtATime(() => this.build());
    this.sizes = new ResizeObserver(() => this.render());
    this.sizes.observe(element);
  }

  /** Draws if there is something to draw and room to draw it in: a hidden tab is drawn when it is shown. */
  render() {
    const room = this.stage.clientWidth;
    if (!this.drawing || !room) return;
    const wanted = `${room} ${theme()}`;
    if (this.drawn === this.drawing && this.wanted === wanted) return;
    this.drawn = this.drawing;
    this.wanted = wanted;
    this.figure = fit(this.drawing, room, getComputedStyle(this.element));
    this.tick();
    this.plotted();
  }

  /** Has Plotly draw the figure, which may be replaced meanwhile: then it is called again. Unseen until it is whole. */
  async build() {
    const { figure, drawing, wanted } = this;
    this.keepZoom(figure);
    for (const part of this.listening ? [WHOLE] : [...PARTS, WHOLE]) {
      await rest();
      await Plotly.react(this.plot, figure.data.filter(part), figure.layout, CONFIG);
    }
    await rest();
    this.settled(drawing, wanted);
  }

  /** What the viewer zoomed into stays. Plotly itself keeps a limit only where the whole ends where it did before. */
  keepZoom({ layout, whole }) {
    for (const axis of ["xaxis", "yaxis"]) {
      const seen = this.plot.layout?.[axis].range;
      const moved = seen?.some((limit, i) => Math.abs(limit - this.whole[axis][i]) > 0.5);
      if (moved && this.whole.room === whole.room) layout[axis].range = [...seen];
    }
    this.whole = whole;
  }

  settled(drawing, wanted) {
    if (!this.listening) {
      this.listening = true;
      this.plot.on("plotly_click", ({ points }) => this.select(points[0].customdata, points[0].id));
      this.plot.on("plotly_relayout", () => this.lay());
      this.plot.on("plotly_hover", () => this.element.classList.add("cs-graph-answers"));
      this.plot.on("plotly_unhover", () => this.element.classList.remove("cs-graph-answers"));
    }
    this.element.dataset.drawn = wanted;
    this.element.dataset.width = drawing.width; // which drawing it is, for whoever waits for another one
    this.begin();
    this.hint();
    this.tabulate();
    this.lay();
    this.tick();
  }

  /** Puts what stands on the figure, and beside it, where the figure has it now. */
  lay() {
    const { yaxis } = this.plot._fullLayout;
    if (yaxis) named(this.element, this.stage, this.drawing.names, (y) => yaxis.d2p(y));
    this.mark();
  }

  /** Where not all of it can be seen, begins with what is to be seen first. */
  begin() {
    if (this.begun) return;
    this.begun = true;
    const first = this.drawing.stops.find((one) => one.id === this.drawing.focus);
    this.stage.scrollLeft = first ? this.plot._fullLayout.xaxis.d2p(this.figure.across(first.x)) - this.stage.clientWidth / 2 : 0;
  }

  /** Says on which sides there is more than can be seen. */
  hint() {
    const { scrollLeft, clientWidth } = this.stage;
    const beyond = this.figure.layout.width - clientWidth - scrollLeft;
    const more = [scrollLeft > 4 && beyond + scrollLeft > 4 && "left", beyond > 4 && "right"];
    this.element.dataset.more = more.filter(Boolean).join(" ");
  }

  select(data, id) {
    if (!data) return;
    if (this.drawing.stops.some((stop) => stop.id === id)) this.at = id;
    this.mark();
    this.element.dispatchEvent(new CustomEvent("graph:select", { detail: data, bubbles: true }));
  }

  key(event) {
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    const stops = this.drawing?.stops ?? [];
    const here = stops.find((stop) => stop.id === this.at);
    if (event.key === "Enter" && here) this.select(here.data, here.id);
    else if (event.key === "Escape") this.at = null;
    else if (steps[event.key]) {
      const next = here ? nearest(stops, here, steps[event.key]) : stops[0];
      if (next) {
        this.at = next.id;
        this.says.textContent = next.sentence;
      }
    } else return;
    event.preventDefault();
    this.mark(true);
  }

  /** Puts the ring around the current stop. */
  mark(reveal = false) {
    const stop = this.drawing.stops.find((one) => one.id === this.at);
    const layout = this.plot._fullLayout;
    this.ring.hidden = !stop || !layout?.xaxis;
    if (this.ring.hidden) return;
    const x = layout.xaxis.d2p(this.figure.across(stop.x));
    this.ring.style.left = `${x}px`;
    this.ring.style.top = `${layout.yaxis.d2p(stop.y)}px`;
    if (!reveal) return;
    const { scrollLeft, clientWidth } = this.stage;
    if (x < scrollLeft + 40 || x > scrollLeft + clientWidth - 40) this.stage.scrollLeft = x - clientWidth / 2;
  }

  /** Fills the table twin, while it is open. */
  tabulate() {
    if (!this.twin.open) return;
    const { header, rows } = this.drawing.table;
    const line = (tag) => (cells) => {
      const row = document.createElement("tr");
      for (const cell of cells) add(row, tag).textContent = cell;
      return row;
    };
    this.table.replaceChildren(line("th")(header), ...rows.map(line("td")));
  }

  /** Sets the running clocks, in the figure (for the next drawing) and in what is drawn. */
  tick() {
    const trace = this.figure?.data.find((one) => one.uid === "text-clock");
    if (!trace) return;
    const shown = this.plot.querySelectorAll(".scatterlayer .tracetext-clock .textpoint text");
    for (const clock of this.drawing.clocks) {
      const words = clockText(clock, Date.now());
      trace.text[clock.point] = words;
      const node = shown[clock.point];
      if (node && node.textContent !== words) node.textContent = words;
    }
  }
}

function add(parent, tag, name = "") {
  const node = parent.appendChild(document.createElement(tag));
  if (name) node.className = name;
  return node;
}

/** A copy of the figure for this room: colours of the theme, channels stretched or everything a little smaller. */
function fit(drawing, room, style) {
  const scale = Math.min(1, Math.max(SMALLEST, room / drawing.width));
  const across = stretched(drawing, Math.max(drawing.width, room / scale));
  const type = scale * fontFactor();
  const data = drawing.figure.data.map((trace) => {
    const copy = coloured(trace, style);
    if (!trace.meta?.fixed) copy.x = trace.x.map((x) => (x === null ? null : across(x)));
    if (copy.textfont) copy.textfont.size = copy.textfont.size.map((size) => size * type);
    if (copy.marker?.size && scale < 1) copy.marker.size = copy.marker.size.map((size) => size * scale);
    if (copy.text) copy.text = [...copy.text];
    return copy;
  });
  const layout = coloured(drawing.figure.layout, style);
  const end = across(drawing.width);
  layout.width = Math.floor(end * scale);
  layout.height = Math.round(drawing.height * scale);
  layout.xaxis.range = [0, end];
  layout.xaxis.maxallowed = end;
  layout.uirevision = room;
  layout.dragmode = matchMedia("(pointer: fine)").matches ? "zoom" : false;
  const whole = { room, xaxis: [...layout.xaxis.range], yaxis: [...layout.yaxis.range] };
  return { data, layout, across, whole };
}

/** The piecewise linear map of x that brings a drawing to `width` by widening its stretchable intervals. */
function stretched(drawing, width) {
  let extra = width - drawing.width;
  const grown = drawing.stretch.map(() => 0);
  const limited = drawing.stretch.filter(([, , limit]) => limit).reduce((sum, [a, b]) => sum + b - a, 0);
  const endless = drawing.stretch.filter(([, , limit]) => !limit).length;
  const share = limited ? extra / limited : 0;
  drawing.stretch.forEach(([a, b, limit], i) => {
    if (limit) grown[i] = (b - a) * Math.min(share, limit);
  });
  extra -= grown.reduce((sum, more) => sum + more, 0);
  drawing.stretch.forEach(([, , limit], i) => {
    if (!limit) grown[i] = extra / endless;
  });
  return (x) =>
    drawing.stretch.reduce((sum, [a, b], i) => sum + grown[i] * Math.min(1, Math.max(0, (x - a) / (b - a))), x);
}

/** A deep copy in which names of colours are colours. Only keys that hold colours are touched: texts are hostile. */
function coloured(value, style, key = "") {
  if (Array.isArray(value)) return /color$/i.test(key) ? value.map((one) => coloured(one, style, key)) : value;
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, coloured(one, style, name)]));
  }
  if (typeof value === "string" && value.startsWith("--cs-") && /color$/i.test(key)) {
    return style.getPropertyValue(value).trim();
  }
  return value;
}

let factor;
/** Less than 1 where the fonts at hand are wider than those that the layout measured with. */
function fontFactor() {
  if (factor === undefined) {
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.font = '12px "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif';
    factor = Math.min(1, REFERENCE[1] / canvas.measureText(REFERENCE[0]).width);
  }
  return factor;
}

function nearest(stops, from, [dx, dy]) {
  let best = null;
  let least = Infinity;
  for (const stop of stops) {
    const x = stop.x - from.x;
    const y = stop.y - from.y;
    const along = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (along > 1 && along + 2 * aside < least) {
      best = stop;
      least = along + 2 * aside;
    }
  }
  return best ?? null;
}

function clockText(clock, now) {
  const seconds = Math.floor((clock.down ? clock.at - now : now - clock.at) / 1000);
  if (clock.down) return seconds > 0 ? `due in ${duration(seconds)}` : "due now";
  return `waiting ${duration(Math.max(seconds, 0))}`;
}

function duration(seconds) {
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** Lets the browser do something else: what follows is a task of its own. */
const rest = () => new Promise((resolve) => setTimeout(resolve));

const theme = () => document.documentElement.dataset.bsTheme ?? "light";

function each(visit) {
  for (const [element, graph] of graphs) {
    if (element.isConnected) visit(graph);
    else {
      graph.sizes.disconnect();
      if (graph.plot._fullLayout) Plotly.purge(graph.plot);
      graphs.delete(element);
    }
  }
}

new MutationObserver(() => each((graph) => graph.render())).observe(document.documentElement, {
  attributeFilter: ["data-bs-theme"],
});
setInterval(() => each((graph) => graph.tick()), 1000);
