"use strict";
// The page works without this script; with it optimizers can be hidden, and what depends on who is shown is computed anew.
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const everyone = data.names.map((_, i) => i);
const hidden = new Set();
const state = { cost: document.body.dataset.cost, role: document.body.dataset.role, theme: "" };
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const shown = () => everyone.filter((i) => !hidden.has(i));

// ---- numbers: the rules of numbers.py
const superscript = (n) => String(n).replace(/[-0-9]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
const power = (exponent) => "10" + superscript(exponent);
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const halfUp = (x) => Math.floor(x + 0.5);
function scientific(value) {
  let exponent = Math.floor(Math.log10(value));
  let tenths = exponent > -300 ? halfUp((value / 10 ** exponent) * 10) : halfUp((value * 1e300) / 10 ** (exponent + 299));
  if (tenths >= 100) { exponent += 1; tenths = 10; }
  return tenths === 10 ? power(exponent) : `${Math.floor(tenths / 10)}.${tenths % 10}·${power(exponent)}`;
}
function number(value) {
  if (Number.isNaN(value)) return "–";
  if (value < 0) return "−" + number(-value);
  if (value === Infinity) return "∞";
  if (value === 0) return "0";
  if (value < 0.00995 || value >= 999999.5) return scientific(value);
  if (value >= 999.5) return grouped(halfUp(value));
  const text = value.toFixed(2 - Math.floor(Math.log10(value)));
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}
function ratio(value) {
  if (Number.isNaN(value)) return "–";
  if (value === Infinity) return "∞";
  if (Math.abs(value - 1) < 0.005) return "1×";
  const decimals = value < 1.095 ? 2 : value < 9.95 ? 1 : 0;
  return (decimals ? value.toFixed(decimals) : grouped(halfUp(value))) + "×";
}
function seconds(value) {
  if (!Number.isFinite(value)) return number(value);
  for (const [below, factor, unit] of [[0.9995e-6, 1e9, "ns"], [0.9995e-3, 1e6, "µs"], [0.9995, 1e3, "ms"], [99.95, 1, "s"]])
    if (value < below) return `${number(value * factor)} ${unit}`;
  const whole = halfUp(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${grouped(Math.floor(whole / 3600))} h ${Math.floor((whole % 3600) / 60)} min`;
}
function amount(value, cost) {
  return cost === "seconds" ? seconds(value) : `${number(value)} ${value === 1 ? cost.slice(0, -1) : cost}`;
}
function probability(p) {
  if (!Number.isFinite(p)) return "= –";
  if (p < 1e-14) return "< 10⁻¹⁴";
  if (p < 0.00095) return "= " + scientific(p);
  return "= " + (p >= 0.0995 ? p.toFixed(2) : String(Number(p.toPrecision(2))));
}

// ---- statistics: the definitions of optbench.statistics
function ranks(costs) {
  return costs.map((a) => {
    let below = 0, equal = 0;
    for (const b of costs) { if (b < a) below += 1; else if (b === a) equal += 1; }
    return below + (equal + 1) / 2;
  });
}
function upperGamma(a, x) {
  // The regularised upper incomplete gamma function: the series below a + 1, Lentz's continued fraction above.
  if (x <= 0) return 1;
  const g = [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
  const logGamma = (z) => {
    let sum = 0.99999999999980993;
    g.forEach((c, i) => { sum += c / (z + i); });
    const t = z + g.length - 1.5;
    return 0.5 * Math.log(2 * Math.PI) + (z - 0.5) * Math.log(t) - t + Math.log(sum);
  };
  const front = Math.exp(-x + a * Math.log(x) - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a, sum = term;
    for (let n = 1; n < 1000 && Math.abs(term) > 1e-16 * Math.abs(sum); n += 1) { term *= x / (a + n); sum += term; }
    return 1 - sum * front;
  }
  let b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (let n = 1; n < 1000; n += 1) {
    const an = -n * (n - a);
    b += 2;
    d = 1 / (an * d + b || 1e-300);
    c = b + an / c || 1e-300;
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return front * h;
}
function friedman(table) {
  const N = table.length, k = table[0].length;
  const sums = table[0].map((_, j) => table.reduce((sum, row) => sum + row[j], 0));
  let ties = 0;
  for (const row of table) {
    const counts = new Map();
    for (const r of row) counts.set(r, (counts.get(r) || 0) + 1);
    for (const t of counts.values()) ties += t * (t * t - 1);
  }
  const correction = 1 - ties / (k * (k * k - 1) * N);
  if (correction <= 0) return NaN;
  const chi = ((12 / (k * N * (k + 1))) * sums.reduce((s, r) => s + r * r, 0) - 3 * N * (k + 1)) / correction;
  return upperGamma((k - 1) / 2, chi / 2);
}
const cost = (problem, i) => { const c = problem[state.cost][i]; return c === null ? Infinity : c; };
const complete = (who) => data.problems.filter((p) => who.every((i) => p[state.cost][i] !== -1));
function ranking(who = shown()) {
  const problems = complete(who);
  const table = problems.map((p) => ranks(who.map((i) => cost(p, i))));
  const mean = who.map((_, j) => table.reduce((sum, row) => sum + row[j], 0) / table.length);
  const order = who.map((_, j) => j).sort((a, b) => mean[a] - mean[b] || who[a] - who[b]);
  const enough = problems.length >= data.fewest && who.length > 1, testable = enough && who.length > 2;
  const cd = enough ? data.q[who.length] * Math.sqrt((who.length * (who.length + 1)) / (6 * problems.length)) : NaN;
  const p = testable ? friedman(table) : NaN;
  return {
    problems, cd, p,
    who: order.map((j) => who[j]), mean: order.map((j) => mean[j]), table: table.map((row) => order.map((j) => row[j])),
    // where the test finds no difference none is claimed: all are joined
    cliques: enough ? cliques(order.map((j) => mean[j]), p < 0.05 ? cd : Infinity) : [],
  };
}
function cliques(mean, cd) {
  const found = [];
  for (let first = 0; first < mean.length; first += 1) {
    const last = mean.findLastIndex((m) => m <= mean[first] + cd + 1e-12);
    if (last > first && (!found.length || last > found.at(-1)[1])) found.push([first, last]);
  }
  return found;
}

// ---- who is shown
const SVG = "http://www.w3.org/2000/svg";
function element(tag, attributes = {}, text = null, svg = false) {
  const made = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}
const drawn = (tag, attributes, text = null) => element(tag, attributes, text, true);
const short = (name) => (name.length > 14 ? name.slice(0, 7) + "…" + name.slice(-6) : name);

function update() {
  const who = shown(), found = ranking(who);
  for (const i of everyone) document.body.classList.toggle("h" + i, hidden.has(i));
  document.body.dataset.cost = state.cost;
  document.body.dataset.role = state.role;
  document.body.classList.toggle("nobody", who.length === 0);
  rail(found);
  notice(who);
  drawRanking(found);
  drawProfiles(found.who);
  heat(found.who);
  priceCells();
  for (const svg of $$(".draw svg")) if (svg.getClientRects().length) spreadLabels(svg, found.who);
  packTrajectories();
  remember();
}

function rail(found) {
  for (const row of $$(".who label")) {
    const i = Number(row.dataset.i), place = found.who.indexOf(i);
    row.classList.toggle("off", hidden.has(i));
    $("input", row).checked = !hidden.has(i);
    $(".rank", row).textContent = place < 0 || !found.problems.length ? "–" : found.mean[place].toFixed(found.who.length > 20 ? 1 : 2);
  }
  for (const cell of $$("[data-mean-rank]")) {
    const place = found.who.indexOf(Number(cell.dataset.meanRank));
    cell.dataset.v = place < 0 ? "" : found.mean[place];
    cell.textContent = place < 0 || !found.problems.length ? "–" : found.mean[place].toFixed(2);
  }
}

function notice(who) {
  const box = $(".notice");
  box.hidden = who.length === everyone.length;
  if (box.hidden) return;
  $("span", box).textContent = `Showing ${who.length} of ${everyone.length} optimizers. ` +
    `Ranks, ratios and profiles are recomputed for these; the summary above speaks of all ${everyone.length}.`;
}

function remember() {
  const query = new URLSearchParams();
  for (const i of [...hidden].sort((a, b) => a - b)) query.append("hide", data.names[i]);
  if (state.cost !== "steps") query.set("cost", state.cost);
  if (state.role !== data.role) query.set("setting", state.role);
  if (state.theme) query.set("theme", state.theme);
  const text = query.toString();
  try {
    history.replaceState(null, "", (text ? "?" + text : location.pathname) + location.hash);
  } catch (error) {
    if (error.name !== "SecurityError") throw error; // some browsers refuse it for files; the page works without
  }
}

function recall() {
  const query = new URLSearchParams(location.search);
  for (const name of query.getAll("hide")) {
    const i = data.names.indexOf(name);
    if (i >= 0) hidden.add(i);
  }
  for (const [key, kind] of [["cost", "cost"], ["setting", "role"]]) {
    const radio = $$(`input[name=${kind}]`).find((input) => input.value === query.get(key));
    if (radio) { radio.checked = true; state[kind] = radio.value; }
  }
  setTheme(query.get("theme"));
}

function setTheme(theme) {
  if (theme !== "dark" && theme !== "light") return;
  state.theme = theme;
  document.documentElement.dataset.theme = theme;
}

// ---- the heat map
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
      fillHeat(cell, value < 0 ? NaN : value / best, problem.successes[i], problem.seeds[i], problem.diverged[i]);
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

// ---- tables: costs and sorting
function priceCells() {
  for (const cell of $$("td[data-steps]")) {
    const text = cell.dataset[state.cost], value = text === "" ? Infinity : Number(text);
    cell.dataset.v = text;
    cell.firstChild.textContent = state.cost === "seconds" ? seconds(value) : number(value);
  }
  for (const table of $$("table.by-cost")) {
    const rows = $$("tbody tr", table).filter((row) => !hidden.has(Number(row.dataset.o)));
    for (let column = 0; rows.length && column < rows[0].cells.length; column += 1) {
      const cells = rows.map((row) => row.cells[column]);
      if (!("ert" in cells[0].dataset)) continue;
      const values = cells.map((cell) => (cell.dataset.v === "" ? Infinity : Number(cell.dataset.v)));
      const best = Math.min(...values);
      cells.forEach((cell, j) => cell.classList.toggle("best", values[j] === best && best < Infinity));
    }
  }
  for (const word of $$(".cost-word")) word.textContent = state.cost;
}
function sortBy(button) {
  const heading = button.closest("th"), table = heading.closest("table"), column = heading.cellIndex;
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of $$("th[aria-sort]", table)) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const text = row.cells[column].dataset.v;
    return text === "" || text === undefined ? null : Number.isNaN(Number(text)) ? text.toLowerCase() : Number(text);
  };
  const rows = $$("tbody tr", table).map((row, place) => ({ row, place, key: key(row) }));
  rows.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
    const less = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
    return (down ? -less : less) || a.place - b.place;
  });
  for (const { row } of rows) row.parentNode.append(row);
}

// ---- drawings: reading the axes and the lines back from the SVG
function axesOf(svg) {
  return $$("[data-ax]", svg).map((group) => {
    const [left, top, width, height, xmin, xmax, ymin, ymax, xscale, yscale] = group.dataset.ax.split(" ");
    const scale = (low, high, kind, start, length) => {
      const to = kind === "log" ? Math.log10 : (v) => v, back = kind === "log" ? (v) => 10 ** v : (v) => v;
      const a = to(Number(low)), b = to(Number(high));
      return { at: (v) => start + ((to(v) - a) / (b - a)) * length, value: (p) => back(a + ((p - start) / length) * (b - a)) };
    };
    const box = { left: +left, top: +top, width: +width, height: +height };
    return { group, ...box, bottom: box.top + box.height, right: box.left + box.width, x: scale(xmin, xmax, xscale, box.left, box.width), y: scale(ymin, ymax, yscale, box.top + box.height, -box.height) };
  });
}
const pathPoints = new WeakMap();
function pointsOf(path) {
  const text = path.getAttribute("d") || "", known = pathPoints.get(path);
  if (known && known.text === text) return known.points;
  const points = [], tokens = text.match(/[a-zA-Z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/g) || [];
  let x = 0, y = 0, startX = 0, startY = 0, command = "", at = 0;
  const next = () => Number(tokens[at++]);
  while (at < tokens.length) {
    if (/[a-zA-Z]/.test(tokens[at])) command = tokens[at++];
    const relative = command === command.toLowerCase(), kind = command.toLowerCase();
    if (kind === "z") { x = startX; y = startY; points.push([x, y, false]); continue; }
    if (kind === "h") x = next() + (relative ? x : 0);
    else if (kind === "v") y = next() + (relative ? y : 0);
    else {
      if (kind === "c") at += 4;
      const dx = next(), dy = next();
      x = dx + (relative ? x : 0);
      y = dy + (relative ? y : 0);
    }
    points.push([x, y, kind === "m"]);
    if (kind === "m") { startX = x; startY = y; command = relative ? "l" : "L"; }
  }
  pathPoints.set(path, { text, points });
  return points;
}
function heightAt(path, x) {
  // y of the line at this x; where it rises vertically, the last value, as for a function continuous from the right
  const points = pointsOf(path);
  let found = null;
  for (let j = 1; j < points.length; j += 1) {
    const [x0, y0] = points[j - 1], [x1, y1, jump] = points[j];
    if (jump || x < Math.min(x0, x1) || x > Math.max(x0, x1)) continue;
    found = x1 === x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  }
  return found;
}
const at = (event, svg) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());

// ---- names at the ends of lines
function spread(wanted, gap, low, high) {
  // the rule of canvas.py: neighbours that are too close form a block around the mean of what its members want
  const order = wanted.map((_, j) => j).sort((a, b) => wanted[a] - wanted[b] || a - b), blocks = [];
  const top = ([sum, members]) => Math.max(low, Math.min(sum / members, high - (members - 1) * gap));
  for (const j of order) {
    blocks.push([wanted[j], 1]);
    while (blocks.length > 1 && top(blocks.at(-2)) + blocks.at(-2)[1] * gap > top(blocks.at(-1))) {
      const [sum, members] = blocks.pop(), last = blocks.at(-1);
      last[0] += sum - members * last[1] * gap;
      last[1] += members;
    }
  }
  const places = [];
  let position = 0;
  for (const block of blocks) for (let m = 0; m < block[1]; m += 1) places[order[position++]] = top(block) + m * gap;
  return places;
}
function spreadLabels(svg, order) {
  const axes = axesOf(svg)[0];
  if (!axes || !$("g.label[data-y]", svg)) return;
  for (const made of $$(".made", svg)) made.remove();
  if (order.length <= 12) {
    for (const i of order) if (!$(`g.label[data-o="${i}"]`, svg)) addLabel(svg, i);
  }
  const labels = $$("g.label[data-y]", svg).filter((label) => !hidden.has(Number(label.dataset.o)));
  if (!labels.length) return;
  const low = axes.top, high = axes.top + axes.height;
  const usual = matchMedia("screen and (max-width:760px)").matches ? 17 : 14.5;
  const gap = Math.min(usual, (high - low) / Math.max(labels.length - 1, 1));
  const places = spread(labels.map((label) => Number(label.dataset.y)), gap, low, high);
  labels.forEach((label, j) => {
    for (const text of $$("text", label)) text.setAttribute("y", (places[j] + 4.2).toFixed(1));
    for (const path of $$(`g.leader[data-o="${label.dataset.o}"] path`, svg)) {
      const right = axes.left + axes.width, from = Number(label.dataset.y);
      path.setAttribute("d", `M${right + 1} ${from}H${right + 6}L${right + 14} ${places[j].toFixed(1)}`);
    }
  });
}
function addLabel(svg, i) {
  const model = $("g.label[data-y]", svg), path = $(`g.line[data-o="${i}"] path`, svg);
  if (!path) return;
  const [, y] = pointsOf(path).at(-1);
  const label = model.cloneNode(true);
  label.classList.add("made");
  label.dataset.o = i;
  label.dataset.y = y;
  const text = $("text", label);
  text.textContent = short(data.names[i]);
  text.setAttribute("fill", `var(--t${i % 8})`);
  model.parentNode.append(label);
  const leader = $(`g.leader[data-o="${model.dataset.o}"]`, svg);
  if (leader) {
    const line = leader.cloneNode(true);
    line.classList.add("made");
    line.dataset.o = i;
    $("path", line).setAttribute("stroke", `var(--c${i % 8})`);
    leader.parentNode.append(line);
  }
}

// ---- hover: who is it, and how much
const tip = $(".tip");
function focusOn(i) {
  document.body.classList.toggle("focus", i !== null);
  for (const j of everyone) document.body.classList.toggle("f" + j, j === i);
}
function fadeIn(draw, near) {
  draw.classList.toggle("focus", near !== null);
  for (const j of everyone) draw.classList.toggle("n" + j, j === near);
}
function swatchOf(i) {
  const svg = $(`.who label[data-i="${i}"] .sw-line`);
  return svg ? svg.cloneNode(true) : element("span");
}
function showTip(draw, heading, rows, near) {
  tip.replaceChildren();
  const table = element("table");
  table.append(element("caption", {}, heading));
  for (const { i, text } of rows) {
    const row = element("tr", i === near ? { class: "near" } : {}), line = element("td");
    line.append(swatchOf(i));
    row.append(line, element("td", { class: "who-cell" }, data.names[i]), element("td", {}, text));
    table.append(row);
  }
  tip.append(table);
  tip.hidden = false;
  placeTip(draw.getBoundingClientRect());
}
function placeTip(box) {
  // beside the drawing, right or left; where neither has room, above or below it: never over the lines being read
  const { width, height } = tip.getBoundingClientRect(), gap = 8;
  const wide = document.documentElement.clientWidth, tall = document.documentElement.clientHeight;
  let left = box.right + gap, top = Math.max(gap, Math.min(box.top + 24, tall - height - gap));
  if (left + width > wide - gap) left = box.left - width - gap;
  if (left < gap) {
    left = Math.max(gap, Math.min(box.left, wide - width - gap));
    top = box.bottom + gap + height <= tall ? box.bottom + gap : Math.max(gap, box.top - height - gap);
  }
  tip.style.left = left + "px";
  tip.style.top = top + "px";
}
function endHover(draw) {
  tip.hidden = true;
  fadeIn(draw, null);
  for (const mark of $$(".cross,.dot", draw)) mark.remove();
}
function hover(event) {
  const draw = event.currentTarget, svg = $("svg", draw);
  if (!svg) return;
  for (const mark of $$(".cross,.dot", draw)) mark.remove();
  const point = at(event, svg);
  const axes = axesOf(svg).find((a) => point.x >= a.left - 1 && point.x <= a.right + 1 && point.y >= a.top - 4 && point.y <= a.bottom + 4);
  const lines = axes ? $$("g.line[data-o]", svg) : [];
  const inside = (path) => pointsOf(path).some(([, y]) => y >= axes.top - 1 && y <= axes.bottom + 1);
  if (!lines.length) return hoverThing(event, draw, point);
  const found = [];
  for (const line of lines) {
    const i = Number(line.dataset.o);
    if (hidden.has(i)) continue;
    for (const path of $$("path", line)) {
      if (!inside(path)) continue;
      const y = heightAt(path, point.x);
      if (y !== null) { found.push({ i, y }); break; }
    }
  }
  if (!found.length) return hoverThing(event, draw, point);
  const least = found.reduce((a, b) => (Math.abs(b.y - point.y) < Math.abs(a.y - point.y) ? b : a));
  const near = Math.abs(least.y - point.y) < 14 ? least.i : null;
  svg.append(drawn("line", { class: "cross", x1: point.x, x2: point.x, y1: axes.top, y2: axes.top + axes.height }));
  for (const { i, y } of found) {
    if (y >= axes.top - 1 && y <= axes.bottom + 1)
      svg.append(drawn("circle", { class: "dot", "data-o": i, cx: point.x, cy: y, r: i === near ? 4.2 : 3, fill: `var(--c${i % 8})` }));
  }
  found.sort((a, b) => a.y - b.y);
  fadeIn(draw, near);
  const figure = draw.closest("figure");
  const rows = found.map(({ i, y }) => ({ i, text: valueText(figure, axes.y.value(y)) }));
  showTip(draw, abscissa(figure, axes.x.value(point.x)), rows, near);
  return undefined;
}
function valueText(figure, value) {
  if (figure.classList.contains("fig-ecdf")) return `${number(Math.round(1000 * value) / 10)} %`;
  if (figure.classList.contains("fig-profile")) return `${Math.round(value)} of ${data.problems.length}`;
  return number(value);
}
function abscissa(figure, value) {
  if (figure.classList.contains("fig-sensitivity")) return `learning rate ${number(value)}`;
  if (figure.classList.contains("fig-profile")) return `within ${ratio(value)} of the fastest`;
  if (figure.classList.contains("fig-schedules")) return number(value);
  return state.cost === "seconds" ? `after ${seconds(value)}` : `after ${amount(Math.max(1, Math.round(value)), state.cost)}`;
}
function hoverThing(event, draw, point) {
  // no line here: say whose row, mark, path or name this is
  const figure = draw.closest("figure");
  if (figure.classList.contains("fig-ranking")) return hoverRanking(draw, point);
  const thing = event.target.closest("[data-o]");
  if (!thing || !draw.contains(thing)) return endHover(draw);
  const i = Number(thing.dataset.o);
  fadeIn(draw, i);
  return showTip(draw, $("h4", draw.parentNode).textContent, [{ i, text: "" }], i);
}
function hoverRanking(draw, point) {
  const [axes] = axesOf($("svg", draw)), found = ranking();
  const row = axes ? Math.floor(((point.y - axes.top) / axes.height) * found.who.length) : -1;
  if (row < 0 || row >= found.who.length || !found.problems.length) return endHover(draw);
  fadeIn(draw, found.who[row]);
  return tipRanks(draw, "mean rank, and the rank on each problem", found.who[row], found, row);
}
function tipRanks(draw, heading, i, found, place) {
  showTip(draw, heading, [{ i, text: found.mean[place].toFixed(2) }], i);
  const table = $("table", tip);
  found.problems.slice(0, 20).forEach((problem, n) => {
    const row = element("tr");
    row.append(element("td"), element("td", { class: "who-cell" }, problem.name), element("td", {}, number(found.table[n][place])));
    table.append(row);
  });
  placeTip(draw.getBoundingClientRect());
}

// ---- switches
function isolate(wanted) {
  hidden.clear();
  for (const i of everyone) if (!wanted(i)) hidden.add(i);
  update();
}
function listen() {
  for (const row of $$(".who label")) {
    const i = Number(row.dataset.i);
    $("input", row).addEventListener("change", (event) => { if (event.target.checked) hidden.delete(i); else hidden.add(i); update(); });
    row.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse" && !hidden.has(i)) focusOn(i); });
    row.addEventListener("pointerleave", () => focusOn(null));
  }
  for (const button of $$("[data-show]")) button.addEventListener("click", () => isolate(() => button.dataset.show === "all"));
  for (const button of $$("[data-family]")) button.addEventListener("click", () => isolate((i) => data.families[i] === Number(button.dataset.family)));
  for (const radio of $$("input[type=radio]")) radio.addEventListener("change", () => { state[radio.name] = radio.value; update(); });
  for (const button of $$("th button")) button.addEventListener("click", () => sortBy(button));
  $(".mode").addEventListener("click", () => {
    const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    setTheme(dark ? "light" : "dark");
    remember();
  });
  for (const draw of $$(".draw:has(> svg)")) {
    draw.addEventListener("pointermove", hover);
    draw.addEventListener("pointerleave", () => endHover(draw));
  }
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  matchMedia("screen and (max-width:760px)").addEventListener("change", update);
  const links = new Map($$(".toc a").map((link) => [link.hash.slice(1), link])), visible = new Set();
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) visible[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const here = [...links.keys()].filter((id) => visible.has(id)).at(-1);
    for (const [id, link] of links) if (here) link.classList.toggle("here", id === here);
  }, { rootMargin: "-8% 0px -85% 0px" });
  for (const id of links.keys()) seen.observe(document.getElementById(id));
}

// ---- drawings that depend on who is shown
const fitsCost = ({ dataset }) => !dataset.whenCost || dataset.whenCost.split(" ").includes(state.cost);
const originals = new WeakMap();
function original(svg) {
  if (!originals.has(svg)) originals.set(svg, { box: svg.getAttribute("viewBox"), inside: [...svg.childNodes].map((n) => n.cloneNode(true)) });
  return originals.get(svg);
}
function restore(svg) {
  const { box, inside } = original(svg);
  svg.setAttribute("viewBox", box);
  svg.replaceChildren(...inside.map((n) => n.cloneNode(true)));
}
function drawRanking(found) {
  for (const variant of $$(".fig-ranking .variant")) {
    const svg = $(".draw svg", variant), title = $("h4", variant), caption = $("figcaption", variant);
    title.dataset.all ??= title.textContent;
    caption.dataset.all ??= caption.textContent;
    original(svg);
    if (hidden.size === 0) {
      restore(svg);
      title.textContent = title.dataset.all;
      caption.textContent = caption.dataset.all;
    } else if (fitsCost(variant)) {
      rankingSvg(svg, found);
      title.textContent = rankingTitle(found);
      caption.textContent = rankingCaption(caption.dataset.all, found);
    }
  }
}
const words = (n) => ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"][n] || grouped(n);
const listed = (items) => (items.length > 1 ? `${items.slice(0, -1).join(", ")} and ${items.at(-1)}` : items[0]);
function rankingTitle(found) {
  const names = found.who.map((i) => data.names[i]), total = found.problems.length;
  if (names.length === 0) return "No optimizer is shown";
  if (names.length === 1) return `Only ${names[0]} is shown; a rank needs two`;
  if (!total) return "No problem was run by all of those shown";
  if (!found.problems.some((p) => found.who.some((i) => cost(p, i) < Infinity))) return "Nobody reached a target: there is nothing to rank";
  const leaders = found.mean.filter((m) => m <= found.mean[0] + 1e-9).length;
  const lead = `${listed(names.slice(0, Math.min(leaders, 3)))} ${leaders === 1 ? "leads" : "lead"}`;
  if (Number.isNaN(found.cd)) return `${lead}, but ${words(total)} ${total === 1 ? "problem is" : "problems are"} too few for a test`;
  const apart = found.p < 0.05 ? names.filter((_, j) => found.mean[j] > found.mean[0] + found.cd) : [];
  if (!apart.length) return leaders === 1 ? `${lead}, but no distance to it is significant` : `${lead}; no distance is significant`;
  return `${lead}, significantly ahead of ${apart.length <= 3 ? listed(apart) : `${apart.length} of ${names.length - 1} others`}`;
}
function rankingCaption(text, found) {
  const test = text.search(/ Grey: | The test finds /);
  const head = test < 0 ? text : text.slice(0, test);
  if (Number.isNaN(found.cd) || found.who.length < 2) return head;
  return `${head} Grey: closer to the leader than the Nemenyi critical difference, q₀.₀₅ √(k(k+1)/6N) = ${found.cd.toFixed(2)}. ` +
    `Friedman p ${probability(found.p)}, over those shown.`;
}
function rankingSvg(svg, found) {
  const k = found.who.length, row = k > 14 ? 19 : 30, top = 44, bottom = top + row * k;
  const left = 137, right = 851, small = { "font-size": 11.5, fill: "var(--muted)" };
  const x = (rank) => left + ((rank - 1) / Math.max(k - 1, 1)) * (right - left), y = (j) => top + row * (j + 0.5);
  const parts = [drawn("g", { class: "ax", "data-ax": `${left} ${top} ${right - left} ${row * k} 1 ${k} 0 ${k} linear linear` })];
  const text = (px, py, value, anchor = "start") => parts.push(drawn("text", { ...small, x: px, y: py, "text-anchor": anchor }, value));
  if (k > 1 && found.problems.length) {
    for (let rank = 1; rank <= k; rank += Math.max(1, Math.ceil(k / 12))) {
      parts.push(drawn("line", { x1: x(rank), x2: x(rank), y1: top, y2: bottom, stroke: "var(--grid)", "stroke-width": 0.8 }));
      text(x(rank), top - 8, String(rank), "middle");
    }
    text(left - 14, 14, "← better");
    text(right + 14, 14, "worse →", "end");
    text(924, 14, "mean rank", "end");
    if (!Number.isNaN(found.cd)) {
      const start = x(found.mean[0]), end = x(Math.min(found.mean[0] + found.cd, k));
      parts.push(drawn("rect", { x: start, y: top, width: end - start, height: row * k, fill: "var(--muted)", "fill-opacity": 0.09 }));
      text(end, bottom + 14, `not separable from ${short(data.names[found.who[0]])} (CD ${found.cd.toFixed(2)})`, "end");
      text(1058, 14, "joined: not separable", "end");
      found.cliques.forEach(([first, last], column) => {
        const at_ = 969 + 9 * column;
        parts.push(drawn("line", { x1: at_, x2: at_, y1: top + row * first + 8, y2: top + row * (last + 1) - 8, stroke: "var(--ink)", "stroke-width": 3.2, "stroke-linecap": "square" }));
      });
    }
    found.who.forEach((i, j) => parts.push(rankingRow(i, j, found, x, y(j))));
  } else {
    found.who.forEach((i, j) => parts.push(rankName(i, y(j))));
  }
  svg.setAttribute("viewBox", `0 0 1060 ${bottom + 24}`);
  svg.setAttribute("aria-label", rankingTitle(found));
  svg.replaceChildren(...parts);
}
function rankName(i, y) {
  return drawn("text", { "data-o": i, x: 111, y: y + 4.5, "text-anchor": "end", "font-size": 13, "font-weight": 700, fill: `var(--t${i % 8})` }, short(data.names[i]));
}
function rankingRow(i, j, found, x, y) {
  const color = `var(--c${i % 8})`, own = found.table.map((r) => r[j]), counts = new Map();
  const group = drawn("g", { class: "row", "data-o": i }), name = rankName(i, y);
  name.removeAttribute("data-o");
  const size = Math.min(11, found.who.length > 14 ? 9.5 : 11);
  group.append(name, drawn("line", { x1: x(Math.min(...own)), x2: x(Math.max(...own)), y1: y, y2: y, stroke: color, "stroke-opacity": 0.45 }));
  for (const r of own) counts.set(r, (counts.get(r) || 0) + 1);
  for (const [r, n] of counts) group.append(drawn("circle", { cx: x(r), cy: y, r: (Math.sqrt(10 + 16 * n) * size) / 22, fill: color, "fill-opacity": 0.5 }));
  group.append(drawn("circle", { cx: x(found.mean[j]), cy: y, r: size / 2, fill: color, stroke: "var(--bg)", "stroke-width": 1.2 }));
  group.append(drawn("text", { x: 924, y: y + 4.5, "text-anchor": "end", "font-size": 13, fill: "var(--ink)" }, found.mean[j].toFixed(2)));
  return group;
}

function drawProfiles(who) {
  const problems = complete(who), total = problems.length;
  const best = problems.map((p) => Math.min(...who.map((i) => cost(p, i))));
  for (const svg of $$(".fig-profile .draw svg")) {
    const variant = svg.closest(".variant");
    if (!fitsCost(variant)) continue;
    original(svg);
    restore(svg);
    if (hidden.size === 0 || total === 0 || !$("g.line", svg)) continue;
    const [axes] = axesOf(svg), level = (count) => axes.y.at((count * data.problems.length) / total);
    const taken = new Map();
    for (const i of who) {
      const path = $(`g.line[data-o="${i}"] path`, svg);
      if (!path) continue;
      const ratios = problems.map((p, n) => cost(p, i) / best[n]).filter((r) => r < Infinity).sort((a, b) => a - b);
      let count = ratios.filter((r) => r <= 1).length;
      const corners = [[axes.left, level(count)]];
      for (const r of ratios.filter((value) => value > 1)) {
        count += 1;
        corners.push([axes.x.at(r), level(count - 1)], [axes.x.at(r), level(count)]);
      }
      corners.push([axes.right, level(count)]);
      const shift = 0.9 * (taken.get(count) || 0);
      taken.set(count, (taken.get(count) || 0) + 1);
      path.setAttribute("d", "M" + corners.map(([px, py]) => `${Math.min(px, axes.right).toFixed(1)} ${(py - shift).toFixed(1)}`).join("L"));
      const label = $(`g.label[data-o="${i}"]`, svg);
      if (label) label.dataset.y = level(count) - shift;
    }
  }
}

function packTrajectories() {
  // the shown panels close ranks: each moves to the place of its number among the shown
  for (const svg of $$(".fig-trajectories .draw svg")) {
    const places = axesOf(svg), owners = [...new Set($$("g.frame[data-o]", svg).map((frame) => Number(frame.dataset.o)))];
    let next = 0;
    owners.forEach((i, old) => {
      if (hidden.has(i)) return;
      const from = places[old], to = places[next++];
      const move = from === to ? "" : `translate(${(to.left - from.left).toFixed(1)} ${(to.top - from.top).toFixed(1)})`;
      for (const group of $$(`g[data-o="${i}"]`, svg)) {
        if (move) group.setAttribute("transform", move);
        else group.removeAttribute("transform");
      }
    });
    const last = places[Math.max(next - 1, 0)], [x, y, width] = original(svg).box.split(" ");
    svg.setAttribute("viewBox", [x, y, width, (last.bottom + 4).toFixed(1)].join(" "));
  }
}

// ---- begin
recall();
listen();
update();
})();
