// A matrix as a few columns times rows, so that a filter costs rows + columns, and not their product.

/** How small what remains is against the largest number, to be called rounding. */
const ROUNDING = 1e-12;

/**
 * Pairs of a column and a row whose products add up to the matrix: as many as its rank. By Gaussian
 * elimination, with the largest number that remains as the next pivot.
 *
 * @param {readonly number[]} values - row by row.
 * @param {number} rows
 * @param {number} columns
 * @returns {{column: number[], row: number[]}[]}
 */
export function lowRank(values, rows, columns) {
  const rest = [...values];
  const largest = Math.max(...rest.map(Math.abs));
  const pairs = [];
  while (pairs.length < Math.min(rows, columns)) {
    let at = 0;
    for (let i = 0; i < rest.length; i++) if (Math.abs(rest[i]) > Math.abs(rest[at])) at = i;
    const pivot = rest[at];
    if (Math.abs(pivot) <= ROUNDING * largest) break;
    const [r, c] = [Math.floor(at / columns), at % columns];
    const column = Array.from({ length: rows }, (_, i) => rest[i * columns + c]);
    const row = Array.from({ length: columns }, (_, j) => rest[r * columns + j] / pivot);
    pairs.push({ column, row });
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        rest[i * columns + j] = i === r || j === c ? 0 : rest[i * columns + j] - column[i] * row[j];
  }
  return pairs;
}
