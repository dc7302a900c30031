// Sums of whole layers as Python, and the products behind one number of a network.

import { array, assigned, IMPORT, lines, rowsOf } from "./python_lines.js";

/** @type {import("./python_text.js").Texts<"layer" | "dense" | "pool" | "products">} */
export const LAYER_TEXTS = {
  layer: {
    loop: ({ X, F, bias, stride, padding }) => lines(
      assigned("X", X), assigned("F", F), assigned("b", bias), `S, P = ${stride}, ${padding}  # stride, padding`,
      "rows = (len(X) + 2*P - len(F[0])) // S + 1",
      "columns = (len(X[0]) + 2*P - len(F[0][0])) // S + 1",
      "O = [[list(b) for _ in range(columns)] for _ in range(rows)]",
      "for y in range(rows):",
      "    for x in range(columns):",
      "        for k in range(len(F)):  # each filter",
      "            for r in range(len(F[0])):",
      "                for s in range(len(F[0][0])):",
      "                    i, j = S*y + r - P, S*x + s - P",
      "                    if 0 <= i < len(X) and 0 <= j < len(X[0]):",
      "                        for c in range(len(X[0][0])):  # each channel",
      "                            O[y][x][k] += X[i][j][c] * F[k][r][s][c]",
      "print(O)"),
    numpy: ({ X, F, bias, stride, padding }) => lines(
      IMPORT, array("X", X), array("F", F), array("b", bias), `S, P = ${stride}, ${padding}  # stride, padding`,
      "X = np.pad(X, ((P, P), (P, P), (0, 0)))",
      "windows = np.lib.stride_tricks.sliding_window_view(X, F.shape[1:3], (0, 1))[::S, ::S]",
      'O = np.einsum("yxcrs,krsc->yxk", windows, F) + b',
      "print(O.tolist())"),
  },
  dense: {
    loop: ({ x, W, bias }) => lines(
      assigned("x", x), assigned("W", W), assigned("b", bias),
      "y = list(b)",
      "for o in range(len(W)):  # each neuron",
      "    for i in range(len(x)):",
      "        y[o] += W[o][i] * x[i]",
      "print(y)"),
    numpy: ({ x, W, bias }) => lines(
      IMPORT, array("x", x), array("W", W), array("b", bias), "y = W @ x + b", "print(y.tolist())"),
  },
  pool: {
    loop: ({ X, window, stride, how }) => lines(
      assigned("X", rowsOf(X)), `R, C, S = ${window.join(", ")}, ${stride}  # window, stride`,
      "rows, columns = (len(X) - R) // S + 1, (len(X[0]) - C) // S + 1",
      `O = [[${how === "max" ? 'float("-inf")' : "0"}] * columns for _ in range(rows)]`,
      "for y in range(rows):",
      "    for x in range(columns):",
      "        for r in range(R):",
      "            for s in range(C):",
      {
        max: "                O[y][x] = max(O[y][x], X[S*y + r][S*x + s])",
        sum: "                O[y][x] += X[S*y + r][S*x + s]",
        average: "                O[y][x] += X[S*y + r][S*x + s] / (R * C)",
      }[how],
      "print(O)"),
    numpy: ({ X, window, stride, how }) => lines(
      IMPORT, array("X", rowsOf(X)), `S = ${stride}  # stride`,
      `windows = np.lib.stride_tricks.sliding_window_view(X, (${window.join(", ")}))[::S, ::S]`,
      `O = windows.${{ max: "max", average: "mean", sum: "sum" }[how]}((2, 3))`,
      "print(O.tolist())"),
  },
  products: {
    loop: ({ left, right, names: [a, b, total] }) => lines(
      assigned(a, left), assigned(b, right),
      `${total} = 0`,
      `for i in range(len(${a})):`,
      `    ${total} += ${a}[i] * ${b}[i]`,
      `print(${total})`),
    numpy: ({ left, right, names: [a, b, total] }) => lines(
      IMPORT, array(a, left), array(b, right), `${total} = ${a} @ ${b}`, `print(${total}.item())`),
  },
};
