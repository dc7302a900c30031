// Numbers and places in words.

import { f32, isImage, nodeName, placeOf, report } from "./values.js";

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

const MOST_NAMED = 6;

// Names in a sentence: "a, b and c", of many the first ones.
export function listed(names) {
  if (names.length > MOST_NAMED) return `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more layers`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

// A weight in words, by its place among those of its name.
export function weightText(node, name, index) {
  const shape = report.nodes[node].weightShapes[name];
  const place = [];
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    place.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  const owner = `${nodeName(node)} ${name}`;
  if (shape.length === 1) return `${owner} ${index}`;
  if (name === "filters" && report.nodes[node].type === "Conv2D") return `${owner}: row ${place[0]}, column ${place[1]}, channel ${place[2]} of filter ${place[3]}`;
  if (shape.length === 2) return `${owner}: from input ${place[0]} to ${place[1]}`;
  return `${owner} [${place.join(", ")}]`;
}
