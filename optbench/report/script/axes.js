// Drawings: reading the axes and the lines back from the SVG
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
