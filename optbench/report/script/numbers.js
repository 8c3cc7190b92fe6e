// Numbers: the rules of numbers.py, which a test compares
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
