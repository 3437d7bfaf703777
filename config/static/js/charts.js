// Draws each figure.chart from the specification beside it. The table under the figure remains for those without charts.
(function () {
  "use strict";

  const NARROWEST_PX = 220;
  const AXES_PX = 120;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function theme() {
    const ink = colour("--ink");
    const soft = colour("--ink-soft");
    const line = colour("--hairline");
    return {
      background: "transparent",
      font: '"Inter", system-ui, sans-serif',
      view: { stroke: null },
      axis: {
        labelColor: soft, titleColor: soft, domainColor: line, tickColor: line, gridColor: line,
        labelFontSize: 11, titleFontSize: 11, titleFontWeight: 500, gridOpacity: 0.7,
      },
      legend: { labelColor: ink, titleColor: soft, labelFontSize: 11, titleFontSize: 11 },
      header: { labelColor: ink, titleColor: soft },
      title: { color: ink, fontSize: 13, fontWeight: 600, anchor: "start" },
      text: { color: ink },
      rule: { color: soft },
      point: { color: ink },
    };
  }

  // A specification carries the greys of the light page; those of the page it stands on come last.
  function themed(spec) {
    return Object.assign(spec, { config: window.vega.mergeConfig({}, spec.config || {}, theme()) });
  }

  // Stacked panels cannot follow their container by themselves, so each gets the width that is there.
  function fitted(spec, width) {
    (spec.vconcat || []).forEach((panel) => fitted(panel, width));
    if (typeof spec.width === "number") spec.width = Math.max(NARROWEST_PX, width - AXES_PX);
    return spec;
  }

  function draw(figure) {
    const source = figure.querySelector('script[type="application/json"]');
    const canvas = figure.querySelector("[data-chart-canvas]");
    const options = {
      ast: true,
      expr: window.vega.expressionInterpreter,
      actions: false,
      renderer: "svg",
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    };
    window.vegaEmbed(canvas, fitted(themed(JSON.parse(source.textContent)), canvas.clientWidth), options).catch((error) => {
      console.error("This chart could not be drawn:", error);
      canvas.textContent = "The chart could not be drawn. Its numbers are in the table below.";
      canvas.className = "chart-failed";
      const table = figure.querySelector("details");
      if (table) table.open = true;
    });
  }

  function drawAll(root) {
    root.querySelectorAll("figure.chart[data-chart]").forEach(draw);
  }

  drawAll(document);
  dark.addEventListener("change", () => drawAll(document));
  document.addEventListener("htmx:load", (event) => {
    if (event.target !== document.body) drawAll(event.target);
  });
})();
