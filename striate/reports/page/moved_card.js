// Which values of the next layers read a value, and so move with it.

import { element } from "./draw.js";
import { isImage, nodeName, placeOf, shapeOf, count } from "./values.js";
import { listed, placeText } from "./words.js";

const MOST_LISTED = 6;

// `moved` is what `movedBy` gives; show({node, index}) goes to a value.
export function movedCards(moved, show) {
  return moved.map(({ node, parts }) => {
    const outputs = parts.flatMap(({ terms }) => terms.map(({ index }) => index));
    if (!outputs.length) return element("p", {}, `No value of ${nodeName(node)} reads it.`);
    const many = outputs.length > 1;
    const all = count(shapeOf(node));
    const what = many ? `${outputs.length.toLocaleString("en")} of the ${all.toLocaleString("en")} values of ${nodeName(node)} read it: ${where(node, outputs)}.`
      : `One value of ${nodeName(node)} reads it: ${placeText(node, outputs[0])}.`;
    return element("div", { class: "patch" }, isImage(node) ? map(node, outputs) : "",
      element("p", {}, what, " ", element("button", { type: "button", onclick: () => show({ node, index: outputs[0] }) }, `→ ${many ? "the first" : "go there"}`)));
  });
}

function where(node, outputs) {
  if (!isImage(node)) return outputs.length === count(shapeOf(node)) ? "all" : ranges("", outputs);
  const places = outputs.map((output) => placeOf(node, output));
  const [rows, columns, channels] = [0, 1, 2].map((axis) => [...new Set(places.map((place) => place[axis]))].sort((a, b) => a - b));
  const every = channels.length === shapeOf(node)[2];
  const of = every ? (channels.length === 1 ? "" : `, in all ${channels.length} channels`) : `, in ${ranges("channel", channels)}`;
  return `${ranges("row", rows)} and ${ranges("column", columns)}${of}`;
}

// "rows 2 to 4", or those that there are where some between are not.
function ranges(name, numbers) {
  const [first, last] = [numbers[0], numbers[numbers.length - 1]];
  const plural = name && `${name}${numbers.length > 1 ? "s" : ""} `;
  if (numbers.length === 1) return `${plural}${first}`;
  if (last - first + 1 === numbers.length) return `${plural}${first} to ${last}`;
  if (numbers.length <= MOST_LISTED) return plural + listed(numbers.map(String));
  return `${numbers.length} ${plural}between ${first} and ${last}`;
}

// The layer from above, with the places marked.
function map(node, outputs) {
  const [height, width] = shapeOf(node);
  const canvas = element("canvas", { width, height, role: "img", "aria-label": `where in ${nodeName(node)}: ${where(node, outputs)}` });
  const context = canvas.getContext("2d");
  context.fillStyle = "#808080";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#19d3f3";
  for (const output of outputs) {
    const [row, column] = placeOf(node, output);
    context.fillRect(column, row, 1, 1);
  }
  return canvas;
}
