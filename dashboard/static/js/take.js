// Tables as CSV or JSON, and graphs as SVG or PNG: what is shown, taken along as a file.

function save(content, type, name) {
  const link = document.createElement("a");
  link.href = typeof content === "string" && content.startsWith("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  if (link.href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** A cell's full text: a moment as ISO 8601, a name in full where the page shows its beginning. */
function words(cell) {
  const times = cell.querySelectorAll("time:not([data-since], [data-until])");
  if (times.length === 1 && cell.textContent.trim().startsWith(times[0].textContent)) return times[0].dateTime;
  const strip = cell.querySelector("[role=img]");
  if (strip) return strip.ariaLabel;
  const named = cell.querySelector("a[title]");
  return (named?.title ?? cell.innerText).replace(/\s+/g, " ").trim();
}

function rows(table) {
  const heads = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  const body = [...table.querySelectorAll("tbody tr")].map((row) => [...row.cells].map(words));
  return [heads, ...body];
}

/** What a spreadsheet would run as a formula begins with an apostrophe: cells come from strangers. */
const quoted = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

function taken(table, form) {
  const [heads, ...body] = rows(table);
  if (form === "csv") return [heads, ...body].map((row) => row.map(quoted).join(",")).join("\r\n");
  return JSON.stringify(body.map((row) => Object.fromEntries(row.map((text, at) => [heads[at] || `column ${at + 1}`, text]))), null, 2);
}

const stamp = () => new Date().toISOString().slice(0, 19).replaceAll(":", "");
const TYPES = { csv: "text/csv", json: "application/json" };

document.addEventListener("click", async ({ target }) => {
  const form = target.closest("[data-take]")?.dataset.take;
  if (!form) return;
  const card = target.closest(".card");
  const name = `choreoscope-${(card.querySelector("h2")?.innerText ?? document.title).toLowerCase().replace(/[^a-z0-9]+/g, "-")}-${stamp()}.${form}`;
  if (TYPES[form]) {
    save(taken(card.querySelector("table.table"), form), TYPES[form], name);
    return;
  }
  const plot = card.querySelector(".js-plotly-plot");
  const { width, height } = plot._fullLayout;
  save(await Plotly.toImage(plot, { format: form, width, height, scale: form === "png" ? 2 : 1 }), "", name);
});
