// Exercises that ask for a count: the size of an output, the weights of a layer.

import { outputSize } from "../sum_terms.js";

/** @typedef {import("../seeded_numbers.js").SeededNumbers} SeededNumbers */
/** @typedef {import("./exercise.js").Exercise} Exercise */
/** @typedef {import("./exercise.js").Expression} Expression */

/**
 * The size of an output (articles 001, 003); where `fits` is false, sizes may not fit, which then is the
 * answer.
 *
 * @param {any} options - ranges of sizes.
 * @param {SeededNumbers} random
 * @returns {Exercise}
 */
export function sizeExercise(options, random) {
  const { inputs, filters, strides, paddings, dilations, fits } = options;
  let [I, R, S, P, D] = [0, 0, 1, 0, 1];
  // Of many draws the last is taken even if it does not fit: the ranges may hold none that does.
  for (let tries = 0; tries < 1000; tries++) {
    [I, R, S, P, D] = [inputs, filters, strides, paddings, dilations].map(([least, most]) => random.whole(least, most));
    const size = outputSize(I, R, { stride: S, padding: P, dilation: D });
    if (size >= 1 && (!fits || Number.isInteger(size))) break;
  }
  const size = outputSize(I, R, { stride: S, padding: P, dilation: D });
  const whole = Number.isInteger(size) && size >= 1;
  const value = whole ? size : NaN;
  const wide = D * (R - 1) + 1;
  const slips = [
    { key: "slipOne", value: (I - wide + 2 * P) / S },
    { key: "slipOnePadding", value: P ? (I - wide + P) / S + 1 : NaN },
    { key: "slipNoPadding", value: P ? (I - wide) / S + 1 : NaN },
    { key: "slipNoStride", value: S > 1 ? I - wide + 2 * P + 1 : NaN },
    { key: "slipNoDilation", value: D > 1 ? (I - R + 2 * P) / S + 1 : NaN },
    { key: "slipRounded", value: whole ? NaN : Math.floor(size) },
    { key: "slipRounded", value: whole ? NaN : Math.ceil(size) },
    { key: "slipFraction", value: whole ? NaN : size },
  ];
  /** @type {Expression} */
  const taken = D > 1 ? ["I", "−", "(", "D", "·", "(", "R", "−", 1, ")", "+", 1, ")", "+", 2, "·", "P"] : ["I", "−", "R", "+", 2, "·", "P"];
  /** @type {Expression} */
  const numbers = D > 1 ? [I, "−", "(", D, "·", "(", R, "−", 1, ")", "+", 1, ")", "+", 2, "·", P] : [I, "−", R, "+", 2, "·", P];
  return {
    question: D > 1 ? "askSizeDilated" : "askSize",
    values: { input: I, filter: R, stride: S, padding: P, dilation: D },
    given: [],
    mayFail: !fits,
    asked: [
      {
        symbol: "O",
        value,
        slips: slips.filter((slip) => Number.isFinite(slip.value) && slip.value !== value),
        steps: [
          { key: "hintSize" },
          { line: ["O", "=", { over: taken, under: "S" }, "+", 1] },
          { line: ["=", { over: numbers, under: S }, "+", 1] },
          { line: ["=", Number(size.toFixed(3))] },
          ...(whole ? [] : [{ key: "noFit", values: { left: (I - wide + 2 * P) % S, stride: S } }]),
        ],
      },
    ],
  };
}

/**
 * How many weights a layer has (article 000).
 *
 * @param {any} options - ranges of sizes.
 * @param {SeededNumbers} random
 * @returns {Exercise}
 */
export function weightsExercise(options, random) {
  const [height, width] = [random.whole(...pair(options.heights)), random.whole(...pair(options.widths))];
  const [channels, count] = [random.whole(...pair(options.channels)), random.whole(...pair(options.outputs))];
  const [r, s] = options.window;
  const bias = options.bias ? count : 0;
  const dense = height * width * channels * count;
  const own = r * s * channels * count;
  const isDense = options.layer === "dense";
  const shared = isDense ? dense : own;
  const value = shared + bias;
  const slips = [
    { key: bias ? "slipNoBias" : "slipBias", value: bias ? shared : shared + count },
    { key: "slipNoChannels", value: shared / channels + bias },
    { key: options.layer === "convolution" ? "slipOneFilter" : "slipOneNeuron", value: shared / count + (bias && 1) },
    { key: "slipDense", value: isDense ? NaN : dense + bias },
    { key: "slipPlaces", value: options.layer === "convolution" ? own * (height - r + 1) * (width - s + 1) + bias : NaN },
  ];
  const sizes = isDense ? [height, width, channels, count] : [r, s, channels, count];
  const product = sizes.flatMap((size, index) => (index ? ["·", size] : [size]));
  return {
    question: { dense: "askDense", local: "askLocal", convolution: "askShared" }[/** @type {"dense" | "local" | "convolution"} */ (options.layer)],
    values: { height, width, channels, count, rows: r, columns: s, bias },
    given: [],
    asked: [
      {
        symbol: "",
        value,
        slips: slips.filter((slip) => Number.isFinite(slip.value) && slip.value !== value),
        steps: [
          { key: { dense: "hintDense", local: "hintLocal", convolution: "hintShared" }[/** @type {"dense" | "local" | "convolution"} */ (options.layer)] },
          ...(bias ? [{ key: "hintBias", values: { count } }] : []),
          { line: bias ? [product, "+", bias] : product },
          { line: ["=", value] },
        ],
      },
    ],
    mayFail: false,
  };
}

/** @param {number[]} range @returns {[number, number]} */
function pair(range) {
  return [range[0], range[1]];
}
