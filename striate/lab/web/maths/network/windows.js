// The geometry of a layer's window: what an output reads, and which outputs read a value.

/**
 * Rows come before columns. `pads` are the rows above and below, and the columns left and right.
 *
 * @typedef {{size: readonly number[], stride: readonly number[], dilation: readonly number[], pads: readonly number[]}} Window
 */

/**
 * The places of the input in the window of one output, row by row.
 *
 * @param {Window} window
 * @param {readonly number[]} from - the rows and columns of the input.
 * @param {number} row - of the output.
 * @param {number} column
 * @returns {{tap: number, row: number, column: number, inside: boolean}[]} of which those that are not inside are
 *   padding.
 */
export function tapsOf({ size, stride, dilation, pads }, [height, width], row, column) {
  const found = [];
  for (let r = 0; r < size[0]; r++)
    for (let s = 0; s < size[1]; s++) {
      const y = row * stride[0] + r * dilation[0] - pads[0], x = column * stride[1] + s * dilation[1] - pads[2];
      const inside = y >= 0 && y < height && x >= 0 && x < width;
      found.push({ tap: r * size[1] + s, row: y, column: x, inside });
    }
  return found;
}

/**
 * The outputs in whose windows one place of the input is, row by row, each with the tap that meets it there.
 *
 * @param {Window} window
 * @param {readonly number[]} to - the rows and columns of the output.
 * @param {number} row - of the input.
 * @param {number} column
 * @returns {{tap: number, row: number, column: number}[]}
 */
export function outputsOver({ size, stride, dilation, pads }, [height, width], row, column) {
  const found = [];
  for (let r = size[0] - 1; r >= 0; r--) // a later tap is that of an earlier output
    for (let s = size[1] - 1; s >= 0; s--) {
      const y = (row + pads[0] - r * dilation[0]) / stride[0], x = (column + pads[2] - s * dilation[1]) / stride[1];
      if (Number.isInteger(y) && Number.isInteger(x) && y >= 0 && y < height && x >= 0 && x < width)
        found.push({ tap: r * size[1] + s, row: y, column: x });
    }
  return found;
}
