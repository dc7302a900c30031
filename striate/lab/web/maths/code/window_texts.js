// Sums under a window as Python: convolution and its gradients, the places of windows, a photograph's pixel.

import { array, assigned, IMPORT, lines, moved, rowsOf, turned, windowed, windowLoops } from "./python_lines.js";

/** @type {import("./python_text.js").Texts<"signal" | "matrix" | "output" | "filterGradient" | "inputGradient" | "windows" | "photo">} */
export const WINDOW_TEXTS = {
  signal: {
    loop: ({ f, g, flip, before, after }) => lines(
      assigned("f", f), assigned("g", g),
      before || after ? `f = [0] * ${before} + f + [0] * ${after}` : null,
      "y = [0] * (len(f) - len(g) + 1)",
      "for n in range(len(y)):",
      "    for i in range(len(g)):",
      `        y[n] += f[n + i] * g[${flip ? "len(g) - 1 - i" : "i"}]`,
      "print(y)"),
    numpy: ({ f, g, flip, before, after }) => lines(
      IMPORT, array("f", f), array("g", g),
      before || after ? `f = np.pad(f, (${before}, ${after}))` : null,
      // NumPy's convolve flips its second array, its correlate does not.
      `y = np.${flip ? "convolve" : "correlate"}(f, g, "valid")`,
      "print(y.tolist())"),
  },
  matrix: {
    loop: ({ f, g, flip, before: [top, left] }) => lines(
      assigned("f", rowsOf(f)), assigned("g", rowsOf(g)), `top, left = ${top}, ${left}  # how far the first window lies outside of f`,
      "y = [[0] * len(f[0]) for _ in f]",
      "for row in range(len(f)):",
      "    for column in range(len(f[0])):",
      "        for r in range(len(g)):",
      "            for s in range(len(g[0])):",
      "                i, j = row + r - top, column + s - left",
      "                if 0 <= i < len(f) and 0 <= j < len(f[0]):  # beyond its ends f is 0",
      `                    y[row][column] += f[i][j] * g[${flip ? "len(g) - 1 - r" : "r"}][${flip ? "len(g[0]) - 1 - s" : "s"}]`,
      "print(y)"),
    numpy: ({ f, g, flip, before: [top, left] }) => lines(
      IMPORT, array("f", rowsOf(f)), array("g", rowsOf(g)), flip ? "g = g[::-1, ::-1]" : null,
      `f = np.pad(f, ((${top}, ${g.rows - 1 - top}), (${left}, ${g.columns - 1 - left})))`,
      "windows = np.lib.stride_tricks.sliding_window_view(f, g.shape)",
      'y = np.einsum("yxrs,rs->yx", windows, g)', "print(y.tolist())"),
  },
  output: {
    loop: ({ X, F, move }) => lines(
      assigned("X", rowsOf(X)), assigned("F", rowsOf(F)), moved(move),
      "rows = (len(X) + 2*P - D*(len(F) - 1) - 1) // S + 1",
      "columns = (len(X[0]) + 2*P - D*(len(F[0]) - 1) - 1) // S + 1",
      "O = [[0] * columns for _ in range(rows)]",
      ...windowLoops(move, "rows", "columns", "len(F)", "len(F[0])", `O[y][x] += X[i][j] * F[${turned(move, "r", "len(F)")}][${turned(move, "s", "len(F[0])")}]`),
      "print(O)"),
    numpy: ({ X, F, move }) => lines(
      IMPORT, array("X", rowsOf(X)), array("F", rowsOf(F)), moved(move), move.flip ? "F = F[::-1, ::-1]" : null,
      ...windowed("F.shape"), 'O = np.einsum("yxrs,rs->yx", windows, F)', "print(O.tolist())"),
  },
  filterGradient: {
    loop: ({ X, dO, rows, columns, move }) => lines(
      assigned("X", rowsOf(X)), assigned("dO", rowsOf(dO)), moved(move),
      `dF = [[0] * ${columns} for _ in range(${rows})]`,
      ...windowLoops(move, "len(dO)", "len(dO[0])", "len(dF)", "len(dF[0])", `dF[${turned(move, "r", "len(dF)")}][${turned(move, "s", "len(dF[0])")}] += dO[y][x] * X[i][j]`),
      "print(dF)"),
    numpy: ({ X, dO, rows, columns, move }) => lines(
      IMPORT, array("X", rowsOf(X)), array("dO", rowsOf(dO)), moved(move),
      ...windowed(`(${rows}, ${columns})`),
      "windows = windows[:len(dO), :dO.shape[1]]",
      'dF = np.einsum("yxrs,yx->rs", windows, dO)', move.flip ? "dF = dF[::-1, ::-1]" : null, "print(dF.tolist())"),
  },
  inputGradient: {
    loop: ({ F, dO, rows, columns, move }) => lines(
      assigned("F", rowsOf(F)), assigned("dO", rowsOf(dO)), moved(move),
      `dX = [[0] * ${columns} for _ in range(${rows})]`,
      ...windowLoops(move, "len(dO)", "len(dO[0])", "len(F)", "len(F[0])", `dX[i][j] += dO[y][x] * F[${turned(move, "r", "len(F)")}][${turned(move, "s", "len(F[0])")}]`, "dX"),
      "print(dX)"),
    numpy: ({ F, dO, rows, columns, move }) => lines(
      IMPORT, array("F", rowsOf(F)), array("dO", rowsOf(dO)), moved(move), move.flip ? "F = F[::-1, ::-1]" : null,
      `dX = np.zeros((${rows} + 2*P, ${columns} + 2*P))`,
      "R, C = D*(F.shape[0] - 1) + 1, D*(F.shape[1] - 1) + 1  # what a window covers",
      "for y, x in np.ndindex(dO.shape):",
      "    dX[S*y:S*y + R:D, S*x:S*x + C:D] += dO[y, x] * F",
      `dX = dX[P:P + ${rows}, P:P + ${columns}]`,
      "print(dX.tolist())"),
  },
  windows: {
    loop: (sizes) => lines(
      sizesOf(sizes),
      "windows = []",
      "for start in range(-before, I + after - d*(R - 1), S):  # where a window begins",
      "    windows.append([start + d*r for r in range(R)])  # the places that it reads",
      "print(len(windows), \"outputs\")", "print(windows)"),
    numpy: (sizes) => lines(
      IMPORT, sizesOf(sizes),
      "starts = np.arange(-before, I + after - d*(R - 1), S)",
      "windows = starts[:, None] + d*np.arange(R)",
      "print(len(windows), \"outputs\")", "print(windows.tolist())"),
  },
  photo: {
    loop: ({ patch, kernels, combine, offset }) => lines(
      assigned("X", rowsOf(patch)), assigned("kernels", kernels.map(rowsOf)),
      "sums = [0] * len(kernels)",
      "for k, K in enumerate(kernels):",
      "    for r in range(len(K)):",
      "        for s in range(len(K[0])):",
      "            sums[k] += X[r][s] * K[len(K) - 1 - r][len(K[0]) - 1 - s]  # flipped",
      { one: "total = sums[0]", magnitude: "total = sum(one**2 for one in sums) ** 0.5", maximum: "total = max(sums)" }[combine],
      offset ? `total += ${offset}` : null,
      "print(min(255, max(0, round(total))))  # the pixel, clipped"),
    numpy: ({ patch, kernels, combine, offset }) => lines(
      IMPORT, array("X", rowsOf(patch)), array("kernels", kernels.map(rowsOf)),
      "sums = (X * kernels[:, ::-1, ::-1]).sum((1, 2))  # flipped",
      { one: "total = sums[0]", magnitude: "total = np.sqrt((sums**2).sum())", maximum: "total = sums.max()" }[combine],
      offset ? `total += ${offset}` : null,
      "print(int(np.clip(np.round(total), 0, 255)))  # the pixel, clipped"),
  },
};

/** @param {import("../window_size.js").WindowSizes} sizes */
function sizesOf({ input, filter, stride, before, after, dilation }) {
  return lines(
    `I, R, S, d = ${input}, ${filter}, ${stride}, ${dilation}  # input, filter, stride, dilation`,
    `before, after = ${before}, ${after}  # zeros`);
}
