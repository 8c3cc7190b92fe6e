// Hover: who is it, and how much
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
  const inside = (path, dy) => pointsOf(path).some(([, y]) => y + dy >= axes.top - 1 && y + dy <= axes.bottom + 1);
  if (!lines.length) return hoverThing(event, draw, point);
  const found = [];
  for (const line of lines) {
    const i = Number(line.dataset.o), [dx, dy] = moved(line);
    if (hidden.has(i)) continue;
    for (const path of $$("path", line)) {
      if (!inside(path, dy)) continue;
      const y = heightAt(path, point.x - dx);
      if (y !== null) { found.push({ i, y: y + dy, layer: line.dataset.layer }); break; }
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
  const rows = found.map(({ i, y, layer }) => ({ i, text: `${layer ? `${layer}: ` : ""}${valueText(figure, axes.y.value(y))}` }));
  showTip(draw, abscissa(figure, axes.x.value(point.x)), rows, near);
  return undefined;
}
function moved(group) {
  // how far packing has moved it
  const found = /translate\((\S+) (\S+)\)/.exec(group.getAttribute("transform") || "");
  return found ? [Number(found[1]), Number(found[2])] : [0, 0];
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
  if (/fig-loss-/.test(figure.className)) return `α = ${number(Math.round(100 * value) / 100)}`;
  if (/fig-(measure|layers)-/.test(figure.className)) return `after ${amount(Math.round(value), "steps")}`;
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
