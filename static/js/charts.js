// Draws the figures of a page. Plotly is large, so it is loaded when the first chart comes near the window.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let plotly = null;

  const load = (source) => {
    plotly ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("The chart library could not be loaded."));
      document.head.append(script);
    });
    return plotly;
  };

  // A colour in whatever notation as rgb, the one that plotly reads: painted, and read back.
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [red, green, blue] = brush.getImageData(0, 0, 1, 1).data;
    return `rgb(${red}, ${green}, ${blue})`;
  };

  // var(--name) as the colour that it comes to here, in the light or in the dark.
  const resolved = (value, probe) => {
    if (typeof value === "string" && value.startsWith("var(--")) {
      probe.style.color = value;
      return rgb(getComputedStyle(probe).color);
    }
    if (Array.isArray(value)) return value.map((one) => resolved(one, probe));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one, probe)]));
    }
    return value;
  };

  const draw = async (chart) => {
    try {
      const Plotly = await load(chart.dataset.plotly);
      const figure = JSON.parse(chart.dataset.figure);
      const probe = document.createElement("span");
      document.body.append(probe);
      const { data, layout } = resolved(figure, probe);
      probe.remove();
      await Plotly.react(chart, data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
      chart.dataset.drawn = "yes";
    } catch (error) {
      chart.textContent = `${error.message} The same numbers stand in the table.`;
    }
  };

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "300px" });

  const watch = (root) => {
    for (const chart of root.querySelectorAll(".chart[data-figure]")) seen.observe(chart);
  };

  document.addEventListener("DOMContentLoaded", () => watch(document));
  document.addEventListener("htmx:afterSettle", (event) => watch(event.target));
  dark.addEventListener("change", () => {
    for (const chart of document.querySelectorAll(".chart[data-drawn]")) draw(chart);
  });
})();
