// Names at the ends of lines
function spread(wanted, gap, low, high) {
  // the rule of labels.py: neighbours that are too close form a block around the mean of what its members want
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
