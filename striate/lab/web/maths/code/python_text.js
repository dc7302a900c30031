// One sum as Python that runs as it stands: as textbook loops, and in NumPy, with the view's own numbers.

import { DERIVATION_TEXTS } from "./derivation_texts.js";
import { LAYER_TEXTS } from "./layer_texts.js";
import { WINDOW_TEXTS } from "./window_texts.js";

/** @typedef {import("../sum_terms.js").Matrix} Matrix */
/** @typedef {import("../sum_terms.js").Move} Move */

/**
 * A sum of a view; `kind` names it.
 *
 * - signal: y[n] = Σ f[n + i - before] · g[i], or with g flipped, and zeros before and after f;
 * - matrix: the same over rows and columns, as many outputs as f has numbers; `before`: rows above and
 *   columns left of f that the first window reaches;
 * - output, filterGradient, inputGradient: of one channel; `rows` and `columns` are those of F or X;
 * - windows: no sum, the places that each window reads;
 * - photo: one pixel from those under it, by one kernel or several, which are flipped, and clipped;
 * - layer: X is height × width × channels, F filters × rows × columns × channels;
 * - dense: one row of W for each neuron;
 * - pool;
 * - products: the sum behind one number, with the names of both factors and of the sum; `nest`: of
 *   which sum of the compiler it is one, or null;
 * - flatten, connected, grouped, local, sliding: the figures of the article 000. `reads`: for each
 *   neuron of a group its pixels, null for a zero outside; `pads`: top, bottom, left, right.
 *
 * @typedef {{kind: "signal", f: readonly number[], g: readonly number[], flip: boolean, before: number, after: number} |
 *   {kind: "matrix", f: Matrix, g: Matrix, flip: boolean, before: readonly [number, number]} |
 *   {kind: "output", X: Matrix, F: Matrix, move: Move} |
 *   {kind: "filterGradient", X: Matrix, dO: Matrix, rows: number, columns: number, move: Move} |
 *   {kind: "inputGradient", F: Matrix, dO: Matrix, rows: number, columns: number, move: Move} |
 *   ({kind: "windows"} & import("../window_size.js").WindowSizes) |
 *   {kind: "photo", patch: Matrix, kernels: readonly Matrix[], combine: "one" | "magnitude" | "maximum", offset: number} |
 *   {kind: "layer", X: number[][][], F: number[][][][], bias: readonly number[], stride: number, padding: number} |
 *   {kind: "dense", x: readonly number[], W: readonly (readonly number[])[], bias: readonly number[]} |
 *   {kind: "pool", X: Matrix, window: readonly [number, number], stride: number, how: "max" | "average" | "sum"} |
 *   {kind: "products", left: readonly number[], right: readonly number[], names: readonly [string, string, string], nest: string | null} |
 *   {kind: "flatten", X: Matrix} |
 *   {kind: "connected", x: readonly number[], neurons: number} |
 *   {kind: "grouped", x: readonly number[], neurons: number, group: number} |
 *   {kind: "local", x: readonly number[], W: readonly (readonly number[])[], reads: readonly (readonly (number | null)[])[]} |
 *   {kind: "sliding", X: Matrix, filters: readonly Matrix[], stride: number,
 *     pads: readonly [number, number, number, number], positions: readonly [number, number]}} CodeSum
 */

/**
 * How sums of some kinds are written.
 *
 * @template {CodeSum["kind"]} Kind
 * @typedef {{[One in Kind]: {loop: (sum: Extract<CodeSum, {kind: One}>) => string, numpy: (sum: Extract<CodeSum, {kind: One}>) => string}}} Texts
 */

/** @type {Texts<CodeSum["kind"]>} */
const TEXTS = { ...WINDOW_TEXTS, ...LAYER_TEXTS, ...DERIVATION_TEXTS };

/** Of which sum of the compiler the others are; null where there is none. @type {Record<string, string | null>} */
const NESTS = { matrix: "output", sliding: "output", connected: "dense", windows: null, photo: null, flatten: null, grouped: null, local: null };

/**
 * Textbook loops in plain Python, which print their result.
 *
 * @param {CodeSum} sum
 * @returns {string}
 */
export function loopText(sum) {
  return TEXTS[sum.kind].loop(/** @type {any} */ (sum));
}

/**
 * The same in NumPy, which prints the same.
 *
 * @param {CodeSum} sum
 * @returns {string}
 */
export function numpyText(sum) {
  return TEXTS[sum.kind].numpy(/** @type {any} */ (sum));
}

/**
 * The sum of the compiler, see striate/lab/room_data/view_code.py, that a sum is one of.
 *
 * @param {CodeSum} sum
 * @returns {string | null} null where there is none.
 */
export function nestOf(sum) {
  if (sum.kind === "products") return sum.nest;
  return sum.kind in NESTS ? NESTS[sum.kind] : sum.kind;
}
