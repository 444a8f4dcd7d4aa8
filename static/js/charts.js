// Charts: a figure of charts.py in a json_script beside its element, drawn by Plotly in the colours of the page.
(() => {
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const AXIS = /^[xy]axis\d*$/;

  // A trace names its colour by meaning (meta.tone, meta.series); the page knows what that looks like today.
  function colour(trace, index) {
    const meta = trace.meta || {};
    if (meta.tone) return token(`--g-${meta.tone}-mark`);
    return token(`--g-series-${((meta.series ?? index) % 8) + 1}`);
  }

  function paint(trace, index) {
    const shade = colour(trace, index);
    const painted = { ...trace, line: { ...trace.line, color: shade }, marker: { ...trace.marker, color: shade } };
    if (trace.type === "bar") delete painted.line;
    if (trace.error_x) painted.error_x = { ...trace.error_x, color: shade };
    if (trace.fill && trace.fill !== "none") {
      painted.fillcolor = faded(shade, trace.meta?.band ? 0.14 : 0.3);
    }
    return painted;
  }

  function faded(shade, alpha) {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = shade;
    const [r, g, b] = probe.fillStyle.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
    return `rgba(${r},${g},${b},${alpha})`;
  }

  function dress(layout) {
    const dressed = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true };
    dressed.font = { ...layout.font, family: token("--g-font"), size: 12, color: token("--g-ink-2") };
    dressed.hoverlabel = { bgcolor: token("--g-surface"), bordercolor: token("--g-line-2"), font: { family: token("--g-font"), size: 12, color: token("--g-ink") } };
    for (const key of Object.keys(layout).filter((name) => AXIS.test(name))) {
      dressed[key] = { ...layout[key], gridcolor: token("--g-line"), linecolor: token("--g-line-2"), zerolinecolor: token("--g-line-2"), tickcolor: token("--g-line-2") };
    }
    dressed.shapes = (layout.shapes || []).map((shape) => ({ ...shape, line: { ...shape.line, color: token("--g-ink-3") } }));
    return dressed;
  }

  async function draw(element) {
    const source = document.getElementById(element.dataset.chart);
    if (!source) return;
    const figure = JSON.parse(source.textContent);
    await window.galleyLoad("plotly");
    await window.Plotly.react(element, figure.data.map(paint), dress(figure.layout), { displayModeBar: false, responsive: true });
    element.dataset.drawn = "true";
  }

  function each(root, work) {
    if (root.matches?.("[data-chart]")) work(root);
    root.querySelectorAll?.("[data-chart]").forEach(work);
  }

  document.addEventListener("DOMContentLoaded", () => each(document, draw));
  document.addEventListener("htmx:load", (event) => each(event.target, (element) => { if (!element.dataset.drawn) draw(element); }));
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    if (event.target.dataset?.drawn) window.Plotly.purge(event.target);
  });
  document.addEventListener("galley:theme", () => each(document, draw));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-table]");
    if (!button) return;
    const table = document.getElementById(button.getAttribute("aria-controls"));
    table.hidden = !table.hidden;
    button.setAttribute("aria-expanded", String(!table.hidden));
  });
})();
