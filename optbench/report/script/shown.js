// Who is shown
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
