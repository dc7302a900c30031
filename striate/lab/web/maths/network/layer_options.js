// What can be said of each layer that a network may have here: its options, as striate's layers take
// them, and how each is typed and read.

/**
 * One option of a layer. A value comes from a file (`taken`) or is typed (`read`).
 *
 * @typedef {object} Option
 * @property {any} initial
 * @property {(value: any) => any} taken - as it is kept; null where it makes no sense.
 * @property {(text: string) => any} read - likewise.
 * @property {(value: any) => string} write - as it is typed.
 * @property {readonly string[]} [words] - where it is one of some words.
 */

/** @typedef {{layer: string} & Record<string, any>} Spec - a layer with all its options. */

const MOST = 1024;

/** @param {unknown} value @param {number} least @param {number} most */
const isWhole = (value, least, most) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most;

/** Whole numbers with × or x or a comma between; null for anything else. @param {string} text */
function wholes(text) {
  const found = text.trim().split(/\s*[x×,]\s*/);
  return found.every((one) => /^\d{1,6}$/.test(one)) ? found.map(Number) : null;
}

/** @param {number} initial @param {number} [most] @returns {Option} */
function whole(initial, most = MOST) {
  const taken = (/** @type {any} */ value) => (isWhole(value, 1, most) ? value : null);
  return { initial, taken, read: (text) => (/^\d{1,6}$/.test(text.trim()) ? taken(Number(text)) : null), write: String };
}

/** (height, width), or one number for both. @param {number} initial @returns {Option} */
function pair(initial) {
  const taken = (/** @type {any} */ value) => {
    const sides = Array.isArray(value) ? value : [value, value];
    return sides.length === 2 && sides.every((side) => isWhole(side, 1, 64)) ? [...sides] : null;
  };
  return {
    initial: [initial, initial], taken,
    read(text) {
      const found = wholes(text);
      return found && found.length <= 2 ? taken(found.length === 1 ? found[0] : found) : null;
    },
    write: ([height, width]) => (height === width ? String(height) : `${height}x${width}`),
  };
}

/** "same", or (top, bottom, left, right). @returns {Option} */
function padding() {
  const taken = (/** @type {any} */ value) => {
    if (value === "same") return value;
    const sides = value === "valid" ? [0] : Array.isArray(value) ? value : [value];
    if (![1, 2, 4].includes(sides.length) || !sides.every((side) => isWhole(side, 0, 64))) return null;
    const [top, second = top] = sides;
    return sides.length === 4 ? [...sides] : [top, top, second, second];
  };
  return {
    initial: [0, 0, 0, 0], taken,
    read: (text) => (/^(same|valid)$/.test(text.trim()) ? taken(text.trim()) : taken(wholes(text))),
    write(value) {
      if (value === "same") return value;
      const [top, bottom, left, right] = value;
      if (top !== bottom || left !== right) return value.join("x");
      return top === left ? String(top) : `${top}x${left}`;
    },
  };
}

/** A number. @param {number} initial @param {(value: number) => boolean} fits @returns {Option} */
function number(initial, fits) {
  const taken = (/** @type {any} */ value) => (typeof value === "number" && Number.isFinite(value) && fits(value) ? value : null);
  return { initial, taken, read: (text) => (/^[-+.\de]+$/i.test(text.trim()) ? taken(Number(text)) : null), write: String };
}

/** @param {string} initial @param {readonly string[]} words @returns {Option} */
function word(initial, words) {
  const taken = (/** @type {any} */ value) => (words.includes(value) ? value : null);
  return { initial, taken, read: taken, write: (value) => value, words };
}

/** @param {boolean} initial @returns {Option} */
function flag(initial) {
  return {
    initial, taken: (value) => (typeof value === "boolean" ? value : null), words: ["yes", "no"],
    read: (text) => (text === "yes" ? true : text === "no" ? false : null), write: (value) => (value ? "yes" : "no"),
  };
}

const uncovered = word("error", ["error", "drop"]);
const pooling = { size: pair(2), stride: pair(2), padding: padding(), dilation: pair(1), uncovered };

/** The layers by their names in striate; options in the order in which they are shown and written. */
export const LAYERS = /** @type {Record<string, Record<string, Option>>} */ ({
  Conv2D: {
    filters: whole(8, 128), size: pair(3), stride: pair(1), padding: padding(), dilation: pair(1),
    groups: whole(1, 128), bias: flag(true), uncovered,
  },
  ReLU: {},
  LeakyReLU: { slope: number(0.01, () => true) },
  ReLU6: {},
  ELU: { alpha: number(1, () => true) },
  SiLU: {},
  Sigmoid: {},
  Tanh: {},
  MaxPool2D: pooling,
  AvgPool2D: { ...pooling, count_padding: flag(false) },
  GlobalAvgPool2D: {},
  BatchNorm: {
    momentum: number(0.9, (value) => value >= 0 && value < 1), eps: number(1e-5, (value) => value > 0),
  },
  Dropout: { rate: number(0.25, (value) => value >= 0 && value < 1) },
  Flatten: {},
  Dense: { units: whole(10), bias: flag(true) },
});

/** Options that a file must give: striate has no default for them. */
export const REQUIRED = /** @type {Record<string, readonly string[]>} */ ({
  Conv2D: ["filters", "size"], MaxPool2D: ["size"], AvgPool2D: ["size"], Dropout: ["rate"], Dense: ["units"],
});

/**
 * A layer with the options that are given, and the usual ones for the rest.
 *
 * @param {string} layer
 * @param {Record<string, any>} [given]
 * @returns {Spec}
 */
export function specOf(layer, given = {}) {
  /** @type {Spec} */
  const spec = { layer };
  for (const [name, option] of Object.entries(LAYERS[layer])) {
    // Windows of pooling lie side by side where nothing else is said.
    const usual = name === "stride" && layer.endsWith("Pool2D") ? spec.size : option.initial;
    spec[name] = given[name] ?? usual;
  }
  return spec;
}

/**
 * The layers of a network that came along, if each of them can be edited here; else null.
 *
 * @param {readonly import("./description.js").Layer[]} layers
 * @returns {Spec[] | null}
 */
export function specsOf(layers) {
  const specs = [];
  for (const { type, arguments: given = {}, inputs } of layers) {
    if (!(type in LAYERS) || inputs.length !== 1 || inputs[0] !== specs.length - 1) return null;
    /** @type {Record<string, any>} */
    const taken = {};
    for (const [name, value] of Object.entries(given)) {
      const option = LAYERS[type][name];
      // Striate's defaults of what is no option here.
      if (!option && value !== { keepdims: false, initial: "he_normal" }[name]) return null;
      if (option && (taken[name] = option.taken(value)) === null) return null;
    }
    specs.push(specOf(type, taken));
  }
  return specs;
}
