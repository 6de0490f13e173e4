// Quantities as trtlens/quantities.py spells them: times, sizes and shares with three digits, in the unit of their magnitude.

const TIME_UNITS = [["s", 1000], ["ms", 1], ["µs", 0.001]];
const SIZE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DIGITS = 3;
const PLAIN_UP_TO = 1e6; // from here on a power of ten is written

// Zeros at the end are kept: they tell how exact the number is.
function digitsText(value) {
  if (Math.abs(value) >= PLAIN_UP_TO) return shortText(value);
  const places = Math.max(0, DIGITS - 1 - Number(value.toExponential(DIGITS - 1).split("e")[1]));
  return value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
}

function shortText(value) {
  const rounded = Number(value.toPrecision(DIGITS));
  if (Math.abs(rounded) >= 1000 && Math.abs(rounded) < PLAIN_UP_TO) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  if (rounded && (Math.abs(rounded) < 1e-4 || Math.abs(rounded) >= 1000)) return rounded.toExponential().replace("+", "");
  return String(rounded);
}

function timeText(ms) {
  if (!Number.isFinite(ms)) return `${ms} ms`;
  const rounded = Math.abs(Number(ms.toPrecision(DIGITS)));
  if (!rounded) return "0 µs";
  const [unit, length] = TIME_UNITS.find(([, least]) => rounded >= least) || TIME_UNITS.at(-1);
  return `${digitsText(ms / length)} ${unit}`;
}

function signedTimeText(ms) {
  return `${ms > 0 ? "+" : ""}${timeText(ms)}`;
}

function sizeText(bytes) {
  let value = bytes;
  let unit = 0;
  while (Math.abs(Number(value.toPrecision(DIGITS))) >= 1000 && unit < SIZE_UNITS.length - 1) { value /= 1024; unit += 1; }
  return `${unit ? digitsText(value) : value.toFixed(0)} ${SIZE_UNITS[unit]}`;
}

function percentText(value) {
  if (value >= 100) return `${value.toFixed(0)} %`;
  return `${value ? (Math.abs(value) < 0.001 ? shortText(value) : digitsText(value)) : 0} %`;
}

function countText(count, one, several = `${one}s`) {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : several}`;
}
