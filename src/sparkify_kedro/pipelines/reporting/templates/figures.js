"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  const printWidth = 680;
  // Titles are text of the page.
  const tight = { t: 10, l: 10, r: 10, b: 10 };

  function colors(layout, isDark) {
    const [text, grid] = isDark ? ["#e4e9ef", "#333c47"] : ["#1c2430", "#e2e7ed"];
    const change = { "font.color": text };
    for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      Object.assign(change, { [`${axis}.gridcolor`]: grid, [`${axis}.linecolor`]: grid, [`${axis}.zerolinecolor`]: grid });
    }
    return change;
  }

  function draw(plot) {
    const source = plot.querySelector("script");
    if (source === null) return Promise.resolve();
    const figure = JSON.parse(source.textContent);
    source.remove();
    delete figure.layout.title;
    // Panels have titles of their own above them.
    figure.layout.margin = (figure.layout.annotations || []).length ? { ...tight, t: 30 } : tight;
    // The toolbar would cover the figure, on touch screens always; dragging zooms without it.
    return Plotly.newPlot(plot, figure.data, figure.layout, { responsive: true, displayModeBar: false })
      .then(() => Plotly.relayout(plot, colors(figure.layout, dark.matches)));
  }

  async function drawAll() {
    for (const plot of plots) {
      await draw(plot);
      await new Promise((resume) => setTimeout(resume));
    }
    document.body.dataset.drawn = plots.length;
  }

  function repaint(isDark, size) {
    for (const plot of plots.filter((one) => one.layout)) Plotly.relayout(plot, { ...colors(plot.layout, isDark), ...size });
  }

  dark.addEventListener("change", (event) => repaint(event.matches, {}));
  window.addEventListener("beforeprint", () => { plots.forEach(draw); repaint(false, { autosize: false, width: printWidth }); });
  window.addEventListener("afterprint", () => repaint(dark.matches, { autosize: true, width: null }));
  drawAll();
})();
