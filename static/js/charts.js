// Charts: <figure class="chart" data-chart> with its numbers in the table that is shown beside it,
// so that what is drawn and what is read out cannot differ.

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

const draw = (figure) => {
  const rows = [...figure.querySelectorAll("details tbody tr")];
  const names = [...figure.querySelectorAll("details thead th")].slice(1).map((cell) => cell.textContent.trim());
  const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const columns = names.map((_, at) => rows.map((row) => Number(row.cells[at + 1].textContent)));
  const lines = [colour("--accent"), colour("--warn"), colour("--good"), colour("--bad")];
  const axis = { stroke: colour("--ink-soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `12px ${ink("--sans")}` };
  const byDay = times.at(-1) - times[0] > 2 * 86400;
  const says = new Intl.DateTimeFormat("en-GB", byDay
    ? { day: "numeric", month: "short", timeZone: "UTC" }
    : { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const moments = { ...axis, values: (_, splits) => splits.map((time) => says.format(time * 1000)) };
  const place = figure.querySelector(".plot");
  place.replaceChildren();
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: 200,
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "UTC"),
      cursor: { y: false },
      legend: { show: names.length > 1 },
      scales: { y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
      axes: [moments, { ...axis, size: 44 }],
      series: [{}, ...names.map((label, at) => ({ label, stroke: lines[at % 4], width: 2, fill: names.length === 1 ? `color-mix(in oklch, ${lines[0]} 12%, transparent)` : undefined, points: { show: rows.length < 3 } }))],
    },
    [times, ...columns],
    place,
  );
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 200 })).observe(place);
};

for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-theme-switch]")) {
    for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
  }
});
