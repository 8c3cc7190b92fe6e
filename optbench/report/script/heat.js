// The heat map
function heat(order) {
  const table = $("table.heat");
  if (!table) return;
  const dense = order.length > 14;
  table.classList.toggle("dense", dense);
  const width = 24 + (76 * order.length) / everyone.length; // the columns keep their width when others vanish
  table.style.width = dense ? "" : `${width}%`;
  table.style.setProperty("--cell", `${(7600 / everyone.length / width).toFixed(2)}%`);
  for (const row of $$("tr", table)) {
    const cells = new Map($$("[data-o]", row).map((cell) => [Number(cell.dataset.o), cell]));
    for (const i of [...order, ...hidden]) row.append(cells.get(i));
  }
  $$("tbody tr", table).forEach((row, number_) => {
    const problem = data.problems[number_];
    const costs = order.map((i) => cost(problem, i));
    const best = Math.min(...costs.filter((c) => c >= 0), Infinity);
    $(".price", row).textContent = best < Infinity ? amount(best, state.cost) : "none";
    for (const i of order) {
      const cell = $(`[data-o="${i}"]`, row), value = cost(problem, i);
      fillHeat(cell, value < 0 ? NaN : multiple(value, best), problem.successes[i], problem.seeds[i], problem.diverged[i]);
    }
  });
}
function fillHeat(cell, value, successes, seeds, diverged) {
  const fails = !(value < Infinity) && seeds > 0;
  cell.className = fails ? "fail" : "";
  cell.removeAttribute("style");
  cell.textContent = seeds === 0 ? "–" : fails ? `${successes}/${seeds}` : ratio(value);
  if (fails && diverged) cell.append(element("small", {}, "✕" + diverged));
  if (!fails && seeds > 0) {
    const alpha = 0.06 + 0.74 * Math.max(0, 1 - Math.log2(value) / 4.5) ** 1.5;
    cell.style.background = `rgba(var(--heat),${alpha.toFixed(3)})`;
    if (alpha > 0.6) cell.style.color = "#fff";
    if (successes < seeds) cell.append(element("small", {}, `${successes}/${seeds}`));
  }
}
