// The steps from a fully connected layer to a convolution as Python: the same loop, over ever fewer weights.

import { array, assigned, IMPORT, lines, rowsOf } from "./python_lines.js";

/** A weight for each line of a figure in which they have no numbers yet. @param {string} of */
const anyWeight = (of) => `(7*${of} + 5*i + 3) % 5 - 2`;

/** @type {import("./python_text.js").Texts<"flatten" | "connected" | "grouped" | "local" | "sliding">} */
export const DERIVATION_TEXTS = {
  flatten: {
    loop: ({ X }) => lines(
      assigned("X", rowsOf(X)),
      "x = []",
      "for row in X:",
      "    for pixel in row:",
      "        x.append(pixel)",
      "print(x)"),
    numpy: ({ X }) => lines(IMPORT, array("X", rowsOf(X)), "x = X.ravel()", "print(x.tolist())"),
  },
  connected: {
    loop: ({ x, neurons }) => lines(
      assigned("x", x),
      `W = [[${anyWeight("n")} for i in range(len(x))] for n in range(${neurons})]  # any numbers, one for each line`,
      "y = [0] * len(W)",
      "for n in range(len(W)):  # each neuron",
      "    for i in range(len(x)):  # reads each pixel",
      "        y[n] += W[n][i] * x[i]",
      "print(y)"),
    numpy: ({ x, neurons }) => lines(
      IMPORT, array("x", x),
      `n, i = np.ogrid[:${neurons}, :len(x)]`,
      `W = ${anyWeight("n")}  # any numbers, one for each line`,
      "y = W @ x",
      "print(y.tolist())"),
  },
  grouped: {
    loop: ({ x, neurons, group }) => lines(
      assigned("x", x), `G = ${group}  # neurons of a group`,
      `W = [[${anyWeight("k")} for i in range(len(x))] for k in range(${neurons} // G)]  # any numbers, for each group`,
      `y = [0] * ${neurons}`,
      "for n in range(len(y)):",
      "    for i in range(len(x)):",
      "        y[n] += W[n // G][i] * x[i]  # all neurons of a group use the same weights",
      "print(y)"),
    numpy: ({ x, neurons, group }) => lines(
      IMPORT, array("x", x), `G = ${group}  # neurons of a group`,
      `k, i = np.ogrid[:${neurons} // G, :len(x)]`,
      `W = ${anyWeight("k")}  # any numbers, for each group`,
      "y = np.repeat(W @ x, G)  # all neurons of a group say the same",
      "print(y.tolist())"),
  },
  local: {
    loop: ({ x, W, reads }) => lines(
      assigned("x", x), assigned("W", W), assigned("reads", reads.map((one) => [...one])),
      "G = len(reads)  # neurons of a group: each reads its own pixels, with the weights of the group",
      "y = [0] * (len(W) * G)",
      "for n in range(len(y)):",
      "    for w, i in zip(W[n // G], reads[n % G]):",
      reads.flat().includes(null) ? "        if i is not None:  # a zero outside of the image" : null,
      `        ${reads.flat().includes(null) ? "    " : ""}y[n] += w * x[i]`,
      "print(y)"),
    numpy: ({ x, W, reads }) => lines(
      IMPORT, array("x", [...x, 0]), array("W", W),
      "# Place -1 is the 0 at the end of x: a zero outside of the image.",
      array("reads", reads.map((one) => one.map((place) => place ?? -1))),
      "y = W @ x[reads].T  # rows: groups, columns: their neurons",
      "print(y.ravel().tolist())"),
  },
  sliding: {
    loop: ({ X, filters, stride, pads: [top, , left], positions: [down, across] }) => lines(
      assigned("X", rowsOf(X)), assigned("F", filters.map(rowsOf)), `S, top, left = ${stride}, ${top}, ${left}  # stride, zeros above and on the left`,
      "y = []",
      "for k in range(len(F)):  # the filter of each group",
      `    for row in range(${down}):`,
      `        for column in range(${across}):  # each place of it is a neuron`,
      "            y.append(0)",
      "            for r in range(len(F[k])):",
      "                for s in range(len(F[k][0])):",
      "                    i, j = S*row + r - top, S*column + s - left",
      "                    if 0 <= i < len(X) and 0 <= j < len(X[0]):",
      "                        y[-1] += F[k][r][s] * X[i][j]",
      "print(y)"),
    numpy: ({ X, filters, stride, pads: [top, bottom, left, right] }) => lines(
      IMPORT, array("X", rowsOf(X)), array("F", filters.map(rowsOf)), `S = ${stride}  # stride`,
      top || bottom || left || right ? `X = np.pad(X, ((${top}, ${bottom}), (${left}, ${right})))` : null,
      "windows = np.lib.stride_tricks.sliding_window_view(X, F.shape[1:])[::S, ::S]",
      'y = np.einsum("yxrs,krs->kyx", windows, F)',
      "print(y.ravel().tolist())"),
  },
};
