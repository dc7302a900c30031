// Exercises that ask for a kernel: one that finds edges of one direction only, or takes the mean.

import { named } from "./drawn.js";

/** @typedef {import("../sum_terms.js").Matrix} Matrix */

/** @typedef {{finds: "vertical edges" | "horizontal edges" | "mean", rows: number, columns: number}} KernelTask */

/** @typedef {{key: string, values?: Record<string, string | number>}} Fault */

const NEAR = 1e-6;

/**
 * A picture with a bright or dark rectangle in it.
 *
 * @param {any} options
 * @param {import("../seeded_numbers.js").SeededNumbers} random
 * @returns {import("./exercise.js").Exercise}
 */
export function kernelExercise({ finds, filter: [rows, columns], input: [height, width] }, random) {
  const [ground, inside] = random.oneOf([[random.whole(0, 3), random.whole(6, 9)], [random.whole(6, 9), random.whole(0, 3)]]);
  const [top, left] = [random.whole(1, Math.floor(height / 3)), random.whole(1, Math.floor(width / 3))];
  const [bottom, right] = [random.whole(height - Math.floor(height / 3), height - 1), random.whole(width - Math.floor(width / 3), width - 1)];
  const values = Array.from({ length: height * width }, (_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    return y >= top && y < bottom && x >= left && x < right ? inside : ground;
  });
  const key = { "vertical edges": "Vertical", "horizontal edges": "Horizontal", mean: "Mean" }[/** @type {KernelTask["finds"]} */ (finds)];
  return {
    question: `ask${key}`,
    values: { rows, columns },
    given: [{ ...named({ rows: height, columns: width, values }, "X", "input"), gray: true }],
    asked: [],
    kernel: { finds, rows, columns },
    steps: [
      { key: `hint${key}` },
      { key: `hint${key}Sums` },
      { matrix: named({ rows, columns, values: rightKernel({ finds, rows, columns }) }, "F", "filter") },
    ],
  };
}

/**
 * What is wrong with a kernel, for all pictures and not only for one; empty where nothing is.
 *
 * Where a picture does not change along its rows, each row of the kernel answers with its sum: rows
 * that sum to 0 stay silent at flat places and at horizontal edges. Likewise columns.
 *
 * @param {readonly number[]} kernel - row by row.
 * @param {KernelTask} task
 * @returns {Fault[]}
 */
export function kernelFaults(kernel, { finds, rows, columns }) {
  if (kernel.every((value) => Math.abs(value) < NEAR)) return [{ key: "kernelZero" }];
  if (finds === "mean") {
    const share = 1 / (rows * columns);
    const total = sum(kernel);
    const wrong = kernel.findIndex((value) => Math.abs(value - share) > 2e-3 * share);
    if (wrong < 0) return [];
    if (Math.abs(total - 1) > NEAR) return [{ key: "meanSum", values: { sum: rounded(total) } }];
    return [{ key: "meanUnequal", values: { row: Math.floor(wrong / columns) + 1, column: (wrong % columns) + 1 } }];
  }
  const vertical = finds === "vertical edges";
  const rowSums = Array.from({ length: rows }, (_, r) => sum(kernel.filter((_, i) => Math.floor(i / columns) === r)));
  const columnSums = Array.from({ length: columns }, (_, s) => sum(kernel.filter((_, i) => i % columns === s)));
  const [silent, answering] = vertical ? [rowSums, columnSums] : [columnSums, rowSums];
  const faults = [];
  const total = sum(kernel);
  if (Math.abs(total) > NEAR) faults.push({ key: "kernelFlat", values: { sum: rounded(total) } });
  const loud = silent.findIndex((one) => Math.abs(one) > NEAR);
  if (loud >= 0)
    faults.push({ key: vertical ? "kernelRow" : "kernelColumn", values: { line: loud + 1, sum: rounded(silent[loud]) } });
  if (answering.every((one) => Math.abs(one) < NEAR)) faults.push({ key: vertical ? "kernelNoColumns" : "kernelNoRows" });
  return faults;
}

/**
 * A kernel that is right: a Prewitt kernel of the size that is asked for, or the mean.
 *
 * @param {KernelTask} task
 * @returns {number[]}
 */
export function rightKernel({ finds, rows, columns }) {
  return Array.from({ length: rows * columns }, (_, i) => {
    if (finds === "mean") return 1 / (rows * columns);
    const [r, s] = [Math.floor(i / columns), i % columns];
    const [at, last] = finds === "vertical edges" ? [s, columns - 1] : [r, rows - 1];
    return at === 0 ? -1 : at === last ? 1 : 0;
  });
}

/** @param {readonly number[]} numbers */
function sum(numbers) {
  return numbers.reduce((all, one) => all + one, 0);
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toFixed(3));
}
