// Numbers and places in words.

import { f32, isImage, placeOf, report } from "./values.js";

export const digits = { all: false }; // all that a number has, or as many as are read easily

// The fewest digits that give the same float32 again; of sums in double precision nine.
export function exact(value) {
  for (let count = 1; count < 9; count++)
    if (f32(Number(value.toPrecision(count))) === value) return plain(value, count);
  return plain(value, 9);
}

export function number(value) {
  return digits.all ? exact(value) : short(value);
}

export const bracketed = (value) => (value < 0 ? `(${number(value)})` : number(value));

// A window of five numbers must fit a phone's width.
const narrow = matchMedia("(max-width: 820px)");

function short(value) {
  const brief = value.toPrecision(narrow.matches ? 3 : 4);
  return Number(brief) === value ? typeset(String(value)) : typeset(brief);
}

const plain = (value, count) => typeset(value === 0 ? "0" : value.toPrecision(count));

export const typeset = (text) => text.replace("e+", "e").replace(/-/g, "−");

export function placeText(node, index) {
  const place = placeOf(node, index);
  if (isImage(node)) return `at row ${place[0]}, column ${place[1]}, channel ${place[2]}`;
  const last = node === report.nodes.length - 1;
  return last ? `${index} (${report.classes[index]})` : `${index}`;
}

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

export const percent = (share) => `${(100 * share).toFixed(2)} %`.replace("-", "−");
