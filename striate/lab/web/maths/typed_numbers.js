// Numbers as they are typed: lists, matrices with ";" between rows, fractions such as 1/3.

/**
 * Numbers in rows of equal length, row by row.
 *
 * @typedef {{rows: number, columns: number, values: readonly number[]}} Matrix
 */

const LARGEST = 1e9;

/**
 * A number or a fraction; null where the text is neither, or beyond a thousand millions.
 *
 * @param {string} text
 * @returns {number | null}
 */
export function readNumber(text) {
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:\/(\d+\.?\d*|\.\d+))?$/i.exec(
    text.trim().replace(/^[−–]/, "-"));
  if (!found) return null;
  const value = Number(found[1]) / (found[2] === undefined ? 1 : Number(found[2]));
  return Number.isFinite(value) && Math.abs(value) <= LARGEST ? value + 0 : null;
}

/**
 * Numbers with spaces, commas or line ends between them; null where one is none.
 *
 * @param {string} text
 * @returns {number[] | null}
 */
export function readList(text) {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  const values = words.map(readNumber);
  return words.length && values.every((value) => value !== null) ? /** @type {number[]} */ (values) : null;
}

/**
 * Rows with ";" or line ends between them; null where they differ in length or a number is none.
 *
 * @param {string} text
 * @returns {Matrix | null}
 */
export function readMatrix(text) {
  const rows = text.split(/[;\n]/).filter((row) => row.trim() !== "").map(readList);
  const columns = rows[0]?.length ?? 0;
  if (!columns || rows.some((row) => row?.length !== columns)) return null;
  return { rows: rows.length, columns, values: /** @type {number[][]} */ (rows).flat() };
}

/**
 * The shortest text that `readNumber` reads as this very number: a fraction where it is one.
 *
 * @param {number} value
 * @returns {string}
 */
export function typed(value) {
  const plain = String(value + 0);
  if (plain.length <= 6) return plain;
  for (let under = 2; under <= 100; under++) {
    const over = Math.round(value * under);
    if (over !== 0 && over / under === value) return `${over}/${under}`;
  }
  return plain;
}

/**
 * @param {Matrix} matrix
 * @returns {string}
 */
export function typedMatrix({ rows, columns, values }) {
  return Array.from({ length: rows }, (_, row) =>
    values.slice(row * columns, (row + 1) * columns).map(typed).join(" ")).join("; ");
}
