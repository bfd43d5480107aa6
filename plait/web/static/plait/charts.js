// Draws every [data-chart] from the plain values beside it. SVG and rich-text tooltips: the page's policy allows no style attributes.
(() => {
  const root = document.documentElement;
  const language = root.dataset.language || "en";
  const LOCALE = { en: "EN", fr: "FR", ko: "KO" }[language] || "EN";
  // Okabe and Ito's colours, darker on white and lighter on charcoal so that each mark keeps 3:1 to its ground.
  const PALETTE = {
    light: ["#0072B2", "#B86E00", "#007A5A", "#A8487E", "#2B7FB8", "#C24E00", "#6A5FE0", "#5F6B7A"],
    dark: ["#56B4E9", "#E69F00", "#2FC79A", "#DE9AC0", "#7FC8F2", "#F08A4B", "#A79FFF", "#A8B3C2"],
  };
  const drawn = new Map();
  const dark = () => root.dataset.bsTheme === "dark";
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function format(chart, compact) {
    if (chart.unit === "score") return { format: (value) => new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(100 * value) };
    if (chart.unit === "share") return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
    const shape = compact ? { notation: "compact", maximumFractionDigits: 1 } : { maximumFractionDigits: 2 };
    if (chart.unit === "money" && chart.currency) Object.assign(shape, { style: "currency", currency: chart.currency }, compact ? {} : { minimumFractionDigits: 0 });
    return new Intl.NumberFormat(language, shape);
  }
  const say = (chart, value, compact) => (value === null || value === undefined || Number.isNaN(value) ? "–" : format(chart, compact).format(value));

  function axes(chart, flat) {
    const ink = css("--ink-soft"), line = css("--hairline");
    const names = { type: "category", data: chart.labels, axisLabel: { color: ink, hideOverlap: true, width: flat ? 150 : undefined, overflow: flat ? "truncate" : undefined }, axisLine: { lineStyle: { color: line } }, axisTick: { show: false } };
    const values = { type: "value", axisLabel: { color: ink, formatter: (value) => say(chart, value, true) }, splitLine: { lineStyle: { color: line } }, splitNumber: 4 };
    if (chart.unit === "share" && chart.kind !== "line") values.min = 0;
    return flat ? { yAxis: { ...names, inverse: true }, xAxis: { ...values, axisLabel: { show: false }, splitLine: { show: false } } } : { xAxis: names, yAxis: values };
  }
  function option(chart) {
    const colours = PALETTE[dark() ? "dark" : "light"];
    const ink = css("--ink"), soft = css("--ink-soft"), card = css("--card"), line = css("--hairline");
    const several = chart.series.length > 1;
    const base = {
      color: colours, animation: false, textStyle: { fontFamily: css("--font"), color: ink },
      aria: { enabled: true, decal: { show: several && chart.kind === "stacked" } },
      grid: { left: 4, right: 16, top: several ? 34 : 12, bottom: 4, containLabel: true },
      legend: several ? { type: "scroll", left: 0, right: 0, top: 0, pageIconColor: soft, pageIconInactiveColor: line, pageIconSize: 11, pageTextStyle: { color: soft }, icon: "rect", itemWidth: 10, itemHeight: 10, textStyle: { color: soft } } : undefined,
      tooltip: { renderMode: "richText", trigger: chart.kind === "heatmap" ? "item" : "axis", backgroundColor: card, borderColor: line, textStyle: { color: ink, fontSize: 12 }, valueFormatter: (value) => say(chart, value, false), axisPointer: { type: chart.kind === "line" ? "line" : "shadow" } },
    };
    const at = { line: lines, bar: bars, stacked: bars, ranked: ranks, funnel: ranks, heatmap: heat, spark, interval: intervals }[chart.kind];
    return { ...base, ...at(chart, { colours, ink, soft, card, line, base }) };
  }
  function lines(chart) {
    return { ...axes(chart), series: chart.series.map((one, k) => ({ type: "line", name: one.name, data: one.values, symbol: ["circle", "rect", "triangle", "diamond"][k % 4], symbolSize: 5, showSymbol: chart.labels.length < 40, lineStyle: { width: 2, type: ["solid", "dashed", "dotted"][Math.floor(k / 3) % 3] } })) };
  }
  function bars(chart) {
    const faded = (values) => values.map((value, k) => (chart.partial[k] ? { value, itemStyle: { opacity: 0.5 } } : value));
    return { ...axes(chart), series: chart.series.map((one) => ({ type: "bar", name: one.name, stack: chart.kind === "stacked" ? "all" : undefined, data: faded(one.values), barMaxWidth: 34 })) };
  }
  function ranks(chart, { ink }) {
    return { ...axes(chart, true), grid: { left: 10, right: 74, top: chart.series.length > 1 ? 34 : 4, bottom: 4, containLabel: true },
      series: chart.series.map((one) => ({ type: "bar", name: one.name, data: one.values, barMaxWidth: 20, label: { show: true, position: "right", color: ink, formatter: ({ value }) => say(chart, value, true) } })) };
  }
  // A bar and over it the interval of its value, edged in the card's colour so that it is seen on the bar too.
  function intervals(chart, { ink, soft, card, line, base }) {
    const one = chart.series[0], flat = axes(chart, true);
    const known = one.values.map((_, k) => [one.low[k], one.high[k], k]).filter(([low, high]) => low !== null && high !== null);
    const told = (k) => `${chart.labels[k]}: ${say(chart, one.values[k], false)}${one.low[k] === null ? "" : ` (${say(chart, one.low[k], false)} – ${say(chart, one.high[k], false)})`}`;
    const whisker = (_, api) => {
      const [left, y] = api.coord([api.value(0), api.value(2)]), [right] = api.coord([api.value(1), api.value(2)]);
      const strokes = [[left, y, right, y], [left, y - 5, left, y + 5], [right, y - 5, right, y + 5]];
      const drawn = (stroke, lineWidth) => strokes.map(([x1, y1, x2, y2]) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke, lineWidth } }));
      return { type: "group", children: [...drawn(card, 4.5), ...drawn(ink, 1.6)] };
    };
    return { ...flat, legend: undefined, grid: { left: 10, right: 26, top: 4, bottom: 4, containLabel: true },
      xAxis: { ...flat.xAxis, axisLabel: { show: true, color: soft, hideOverlap: true, formatter: (value) => say(chart, value, true) }, splitLine: { show: true, lineStyle: { color: line } } },
      tooltip: { ...base.tooltip, formatter: (points) => told(points[0].dataIndex) },
      series: [
        { type: "bar", name: one.name, data: one.values.map((value, k) => (chart.partial[k] ? { value, itemStyle: { opacity: 0.45 } } : value)), barMaxWidth: 16 },
        { type: "custom", name: one.name, data: known, encode: { x: [0, 1], y: 2 }, renderItem: whisker, silent: true, z: 5 },
      ] };
  }
  function heat(chart, { soft, ink, card, base }) {
    const cells = chart.series.flatMap((one, y) => one.values.map((value, x) => (value === null ? null : [x, y, value]))).filter(Boolean);
    const many = chart.labels.length > 14;
    return { legend: undefined, grid: { left: 4, right: 4, top: 4, bottom: 34, containLabel: true },
      tooltip: { ...base.tooltip, formatter: ({ value }) => `${chart.rows[value[1]]} · ${chart.labels[value[0]]}: ${say(chart, value[2], false)}` },
      xAxis: { type: "category", data: chart.labels, axisLabel: { color: soft }, axisTick: { show: false }, axisLine: { show: false } },
      yAxis: { type: "category", data: chart.rows, inverse: true, axisLabel: { color: soft }, axisTick: { show: false }, axisLine: { show: false } },
      visualMap: { min: 0, max: Math.max(...cells.map((cell) => cell[2]), 0.01), orient: "horizontal", left: "center", bottom: 0, itemHeight: 120, itemWidth: 10, textStyle: { color: soft }, formatter: (value) => say(chart, value, true), inRange: { color: dark() ? ["#1b2b3f", "#2f6f9f", "#8fd0f5"] : ["#eef5fb", "#7fb8de", "#00568a"] } },
      series: [{ type: "heatmap", data: cells, itemStyle: { borderColor: card, borderWidth: 1 }, label: { show: !many, formatter: ({ value }) => say(chart, value[2], true), fontSize: 10, color: ink } }] };
  }
  function spark(chart, { colours }) {
    return { legend: undefined, tooltip: { show: false }, grid: { left: 0, right: 0, top: 4, bottom: 0 },
      xAxis: { type: "category", data: chart.labels, show: false, boundaryGap: false }, yAxis: { type: "value", show: false, scale: true },
      series: [{ type: "line", data: chart.series[0].values, symbol: "none", lineStyle: { width: 1.6, color: colours[0] }, areaStyle: { color: colours[0], opacity: 0.13 }, connectNulls: false }] };
  }

  function draw(element) {
    const script = element.querySelector('script[type="application/json"]');
    if (script) { element.chart = JSON.parse(script.textContent); script.remove(); }
    const chart = element.chart;
    if (!chart) return;
    if (["ranked", "funnel", "interval"].includes(chart.kind)) element.classList.add(`rows-${Math.min(12, Math.max(3, chart.labels.length))}`);
    if (chart.kind === "heatmap") element.classList.add(chart.rows.length > 12 ? "rows-24" : "rows-12");
    if (drawn.has(element)) drawn.get(element).dispose();
    const made = echarts.init(element, null, { renderer: "svg", locale: LOCALE });
    made.setOption(option(chart));
    drawn.set(element, made);
  }
  function drawAll(within) {
    within.querySelectorAll("[data-chart]").forEach((element) => { if (!drawn.has(element)) draw(element); });
    root.dataset.charts = String(drawn.size);
  }
  document.addEventListener("htmx:afterSettle", (event) => drawAll(event.detail.elt));
  document.addEventListener("plait:theme", () => [...drawn.keys()].forEach(draw));
  addEventListener("resize", () => drawn.forEach((made) => made.resize()));
  addEventListener("beforeprint", () => drawn.forEach((made) => made.resize()));
  drawAll(document);
})();
