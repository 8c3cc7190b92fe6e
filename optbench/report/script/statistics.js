// Statistics: the definitions of optbench.statistics
function multiple(cost, least) {
  return least === 0 ? (cost === 0 ? 1 : Infinity) : cost / least;
}
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
