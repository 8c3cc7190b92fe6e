// Drawings that depend on who is shown
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
      const ratios = problems.map((p, n) => multiple(cost(p, i), best[n])).filter((r) => r < Infinity).sort((a, b) => a - b);
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
  for (const svg of $$(".fig-trajectories .draw svg,.fig-loss-plane .draw svg,[class*=fig-layers-] .draw svg")) {
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
    const last = places[Math.max(next - 1, 0)], [x, y, width, height] = original(svg).box.split(" ");
    const foot = Number(height) - places.at(-1).bottom;
    svg.setAttribute("viewBox", [x, y, width, (last.bottom + foot).toFixed(1)].join(" "));
  }
}
