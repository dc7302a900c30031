// Elements, colours and small pictures of numbers.

import { exact, number } from "./words.js";

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// Blue is negative, white is zero, red is positive; in both colour schemes, for zero must be seen.
const NEGATIVE = [33, 102, 172], ZERO = [247, 247, 247], POSITIVE = [178, 24, 43];

export function colour(share) {
  const towards = share < 0 ? NEGATIVE : POSITIVE;
  const part = Math.sqrt(Math.min(Math.abs(share), 1)); // small numbers can be told from zero
  return ZERO.map((zero, i) => Math.round(zero + part * (towards[i] - zero)));
}

// A canvas of rows × columns pixels, each in the colour that `at(row, column)` returns.
export function pixels(rows, columns, at) {
  const canvas = element("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const rgb = at(row, column);
      image.data.set([...rgb, 255], 4 * (row * columns + column));
    }
  context.putImageData(image, 0, 0);
  return canvas;
}

export function largest(numbers) {
  let most = 0;
  for (const x of numbers) most = Math.max(most, Math.abs(x));
  return most;
}

export function legend(most) {
  const bar = pixels(1, 64, (_, column) => colour((column - 31.5) / 31.5));
  bar.setAttribute("aria-hidden", "true");
  return element("div", { class: "legend" }, `−${number(most)}`, bar, `${number(most)}`,
    element("span", {}, "(white: 0)"));
}

// Numbers in a grid, each in a cell that `cell(k)` makes.
export function grid(columns, total, caption, cell) {
  const body = element("tbody");
  for (let start = 0; start < total; start += columns) {
    const row = element("tr");
    for (let k = start; k < Math.min(start + columns, total); k++) row.append(element("td", {}, cell(k)));
    body.append(row);
  }
  return element("div", { class: "scroll" }, element("table", {}, element("caption", {}, caption), body));
}

export const numberCell = (value, name = "cell") =>
  element("span", { class: name, title: exact(value), "data-value": value }, number(value));

export function choice(label, options, chosen, onchange) {
  const select = element("select", { onchange: () => onchange(Number(select.value)) },
    options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
  return element("label", {}, label, select);
}

// Drawing anew must not take the keyboard's place away: returns a function that gives it back.
export function focusPath(view) {
  const all = () => [...view.querySelectorAll("button, select, input, canvas[tabindex], a[href], summary")];
  const at = all().indexOf(document.activeElement);
  return at < 0 ? null : () => all()[at]?.focus({ preventScroll: true });
}
