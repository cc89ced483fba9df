// Charts: draws each <figure class="chart" data-chart> from the numbers in its own table.

const CHART_HEIGHT = 190;

const cssVariable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Resolves a custom property, which may be light-dark(…), to a color for the canvas.
const resolveColor = (name) => {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
};

const readTable = (figure) => {
  const rows = [...figure.querySelectorAll("details tbody tr")];
  const names = [...figure.querySelectorAll("details thead th")].slice(1).map((cell) => cell.textContent.trim());
  const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const columns = names.map((_, i) => rows.map((row) => Number(row.cells[i + 1].textContent)));
  return { names, times, columns, timeLabels: rows.map((row) => row.cells[0].textContent.trim()) };
};

// Shows the values at the cursor below the chart.
const createReadout = (figure, { names, columns, timeLabels }) => {
  const readout = figure.querySelector(".readout");
  const unit = figure.dataset.unit;
  const format = (number) => number.toLocaleString("en") + unit;
  const valuesAt = (i) => names.map((name, n) => (names.length > 1 ? `${name.toLowerCase()} ` : "") + format(columns[n][i]));
  return (i) => {
    readout.textContent = i === null || i === undefined ? "" : `${timeLabels[i]}: ${valuesAt(i).join(", ")}`;
  };
};

const draw = (figure) => {
  const data = readTable(figure);
  const { names, times, columns } = data;
  const colors = [resolveColor("--accent"), resolveColor("--warn"), resolveColor("--good"), resolveColor("--bad")];
  const axis = { stroke: resolveColor("--ink-soft"), grid: { stroke: resolveColor("--line"), width: 1 }, ticks: { show: false }, font: `12px ${cssVariable("--sans")}` };
  const byDay = times.at(-1) - times[0] > 2 * 86400;
  const timeFormat = new Intl.DateTimeFormat("en-GB", byDay
    ? { day: "numeric", month: "short", timeZone: "UTC" }
    : { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const timeAxis = { ...axis, size: 28, grid: { show: false }, values: (_, splits) => splits.map((time) => timeFormat.format(time * 1000)) };
  const container = figure.querySelector(".plot");
  const showValues = createReadout(figure, data);
  container.replaceChildren();
  const plot = new uPlot(
    {
      width: container.clientWidth,
      height: CHART_HEIGHT,
      padding: [8, 24, 0, 0],
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "UTC"),
      cursor: { y: false, drag: { setScale: false } },
      legend: { show: false },
      scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.05, 1)] } },
      axes: [timeAxis, { ...axis, size: 44 }],
      series: [{}, ...names.map((label, i) => ({ label, stroke: colors[i % 4], width: 2, fill: names.length === 1 ? `color-mix(in oklch, ${colors[0]} 12%, transparent)` : undefined, points: { show: times.length < 3 } }))],
      hooks: { setCursor: [({ cursor }) => showValues(cursor.idx)] },
    },
    [times, ...columns],
    container,
  );
  new ResizeObserver(() => plot.setSize({ width: container.clientWidth, height: CHART_HEIGHT })).observe(container);
  container.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const i = Math.min(Math.max((plot.cursor.idx ?? times.length) + step, 0), times.length - 1);
    plot.setCursor({ left: plot.valToPos(times[i], "x"), top: 0 });
  };
};

for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-theme-switch]")) {
    for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
  }
});
