// Charts: <figure class="chart" data-chart> with its numbers in the table that is shown beside it,
// so that what is drawn and what is read out cannot differ.

const HEIGHT = 190;

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A colour that a canvas understands, from a custom property that may be light-dark(…).
const colour = (name) => {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

const numbers = (figure) => {
  const rows = [...figure.querySelectorAll("details tbody tr")];
  const names = [...figure.querySelectorAll("details thead th")].slice(1).map((cell) => cell.textContent.trim());
  const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const columns = names.map((_, at) => rows.map((row) => Number(row.cells[at + 1].textContent)));
  return { names, times, columns, moments: rows.map((row) => row.cells[0].textContent.trim()) };
};

// What the pointer or the arrow keys are at, in words under the chart.
const reader = (figure, { names, columns, moments }) => {
  const place = figure.querySelector(".readout");
  const unit = figure.dataset.unit;
  const say = (number) => number.toLocaleString("en") + unit;
  const told = (at) => names.map((name, n) => (names.length > 1 ? `${name.toLowerCase()} ` : "") + say(columns[n][at]));
  return (at) => {
    place.textContent = at === null || at === undefined ? "" : `${moments[at]}: ${told(at).join(", ")}`;
  };
};

const draw = (figure) => {
  const known = numbers(figure);
  const { names, times, columns } = known;
  const lines = [colour("--accent"), colour("--warn"), colour("--good"), colour("--bad")];
  const axis = { stroke: colour("--ink-soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `12px ${ink("--sans")}` };
  const byDay = times.at(-1) - times[0] > 2 * 86400;
  const says = new Intl.DateTimeFormat("en-GB", byDay
    ? { day: "numeric", month: "short", timeZone: "UTC" }
    : { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const moments = { ...axis, size: 28, grid: { show: false }, values: (_, splits) => splits.map((time) => says.format(time * 1000)) };
  const place = figure.querySelector(".plot");
  const read = reader(figure, known);
  place.replaceChildren();
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "UTC"),
      cursor: { y: false, drag: { setScale: false } },
      legend: { show: false },
      scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.05, 1)] } },
      axes: [moments, { ...axis, size: 44 }],
      series: [{}, ...names.map((label, at) => ({ label, stroke: lines[at % 4], width: 2, fill: names.length === 1 ? `color-mix(in oklch, ${lines[0]} 12%, transparent)` : undefined, points: { show: times.length < 3 } }))],
      hooks: { setCursor: [({ cursor }) => read(cursor.idx)] },
    },
    [times, ...columns],
    place,
  );
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  place.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = Math.min(Math.max((plot.cursor.idx ?? times.length) + step, 0), times.length - 1);
    plot.setCursor({ left: plot.valToPos(times[at], "x"), top: 0 });
  };
};

for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-theme-switch]")) {
    for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
  }
});
