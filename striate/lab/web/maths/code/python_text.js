// One sum as Python that runs as it stands: as textbook loops, and in NumPy, with the view's own numbers.

/** @typedef {import("../sum_terms.js").Matrix} Matrix */
/** @typedef {import("../sum_terms.js").Move} Move */

/**
 * A sum of a view; `kind` names it.
 *
 * - signal: y[n] = Σ f[n + i - before] · g[i], or with g flipped, and zeros before and after f;
 * - output, filterGradient, inputGradient: of one channel; `rows` and `columns` are those of F or X;
 * - layer: X is height × width × channels, F filters × rows × columns × channels;
 * - dense: one row of W for each neuron;
 * - pool.
 *
 * @typedef {{kind: "signal", f: readonly number[], g: readonly number[], flip: boolean, before: number, after: number} |
 *   {kind: "output", X: Matrix, F: Matrix, move: Move} |
 *   {kind: "filterGradient", X: Matrix, dO: Matrix, rows: number, columns: number, move: Move} |
 *   {kind: "inputGradient", F: Matrix, dO: Matrix, rows: number, columns: number, move: Move} |
 *   {kind: "layer", X: number[][][], F: number[][][][], bias: readonly number[], stride: number, padding: number} |
 *   {kind: "dense", x: readonly number[], W: readonly (readonly number[])[], bias: readonly number[]} |
 *   {kind: "pool", X: Matrix, window: readonly [number, number], stride: number, how: "max" | "average" | "sum"}} CodeSum
 */

/** The longest line of numbers; what is longer is broken into rows. */
const WIDE = 70;

/**
 * Textbook loops in plain Python, which print their result.
 *
 * @param {CodeSum} sum
 * @returns {string}
 */
export function loopText(sum) {
  switch (sum.kind) {
    case "signal":
      return lines(
        assigned("f", sum.f), assigned("g", sum.g),
        sum.before || sum.after ? `f = [0] * ${sum.before} + f + [0] * ${sum.after}` : null,
        "y = [0] * (len(f) - len(g) + 1)",
        "for n in range(len(y)):",
        "    for i in range(len(g)):",
        `        y[n] += f[n + i] * g[${sum.flip ? "len(g) - 1 - i" : "i"}]`,
        "print(y)");
    case "output":
      return lines(
        assigned("X", rowsOf(sum.X)), assigned("F", rowsOf(sum.F)), moved(sum.move),
        "rows = (len(X) + 2*P - D*(len(F) - 1) - 1) // S + 1",
        "columns = (len(X[0]) + 2*P - D*(len(F[0]) - 1) - 1) // S + 1",
        "O = [[0] * columns for _ in range(rows)]",
        ...windows(sum.move, "rows", "columns", "len(F)", "len(F[0])", `O[y][x] += X[i][j] * F[${turned(sum.move, "r", "len(F)")}][${turned(sum.move, "s", "len(F[0])")}]`),
        "print(O)");
    case "filterGradient":
      return lines(
        assigned("X", rowsOf(sum.X)), assigned("dO", rowsOf(sum.dO)), moved(sum.move),
        `dF = [[0] * ${sum.columns} for _ in range(${sum.rows})]`,
        ...windows(sum.move, "len(dO)", "len(dO[0])", "len(dF)", "len(dF[0])", `dF[${turned(sum.move, "r", "len(dF)")}][${turned(sum.move, "s", "len(dF[0])")}] += dO[y][x] * X[i][j]`),
        "print(dF)");
    case "inputGradient":
      return lines(
        assigned("F", rowsOf(sum.F)), assigned("dO", rowsOf(sum.dO)), moved(sum.move),
        `dX = [[0] * ${sum.columns} for _ in range(${sum.rows})]`,
        ...windows(sum.move, "len(dO)", "len(dO[0])", "len(F)", "len(F[0])", `dX[i][j] += dO[y][x] * F[${turned(sum.move, "r", "len(F)")}][${turned(sum.move, "s", "len(F[0])")}]`, "dX"),
        "print(dX)");
    case "layer":
      return lines(
        assigned("X", sum.X), assigned("F", sum.F), assigned("b", sum.bias), `S, P = ${sum.stride}, ${sum.padding}  # stride, padding`,
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
        "print(O)");
    case "dense":
      return lines(
        assigned("x", sum.x), assigned("W", sum.W), assigned("b", sum.bias),
        "y = list(b)",
        "for o in range(len(W)):  # each neuron",
        "    for i in range(len(x)):",
        "        y[o] += W[o][i] * x[i]",
        "print(y)");
    case "pool":
      return lines(
        assigned("X", rowsOf(sum.X)), `R, C, S = ${sum.window.join(", ")}, ${sum.stride}  # window, stride`,
        "rows, columns = (len(X) - R) // S + 1, (len(X[0]) - C) // S + 1",
        `O = [[${sum.how === "max" ? 'float("-inf")' : "0"}] * columns for _ in range(rows)]`,
        "for y in range(rows):",
        "    for x in range(columns):",
        "        for r in range(R):",
        "            for s in range(C):",
        {
          max: "                O[y][x] = max(O[y][x], X[S*y + r][S*x + s])",
          sum: "                O[y][x] += X[S*y + r][S*x + s]",
          average: "                O[y][x] += X[S*y + r][S*x + s] / (R * C)",
        }[sum.how],
        "print(O)");
  }
}

/**
 * The same in NumPy, which prints the same.
 *
 * @param {CodeSum} sum
 * @returns {string}
 */
export function numpyText(sum) {
  const head = "import numpy as np";
  switch (sum.kind) {
    case "signal":
      return lines(
        head, array("f", sum.f), array("g", sum.g),
        sum.before || sum.after ? `f = np.pad(f, (${sum.before}, ${sum.after}))` : null,
        // NumPy's convolve flips its second array, its correlate does not.
        `y = np.${sum.flip ? "convolve" : "correlate"}(f, g, "valid")`,
        "print(y.tolist())");
    case "output":
      return lines(
        head, array("X", rowsOf(sum.X)), array("F", rowsOf(sum.F)), moved(sum.move), sum.move.flip ? "F = F[::-1, ::-1]" : null,
        ...windowed("F.shape"), 'O = np.einsum("yxrs,rs->yx", windows, F)', "print(O.tolist())");
    case "filterGradient":
      return lines(
        head, array("X", rowsOf(sum.X)), array("dO", rowsOf(sum.dO)), moved(sum.move),
        ...windowed(`(${sum.rows}, ${sum.columns})`),
        "windows = windows[:len(dO), :dO.shape[1]]",
        'dF = np.einsum("yxrs,yx->rs", windows, dO)', sum.move.flip ? "dF = dF[::-1, ::-1]" : null, "print(dF.tolist())");
    case "inputGradient":
      return lines(
        head, array("F", rowsOf(sum.F)), array("dO", rowsOf(sum.dO)), moved(sum.move), sum.move.flip ? "F = F[::-1, ::-1]" : null,
        `dX = np.zeros((${sum.rows} + 2*P, ${sum.columns} + 2*P))`,
        "R, C = D*(F.shape[0] - 1) + 1, D*(F.shape[1] - 1) + 1  # what a window covers",
        "for y, x in np.ndindex(dO.shape):",
        "    dX[S*y:S*y + R:D, S*x:S*x + C:D] += dO[y, x] * F",
        `dX = dX[P:P + ${sum.rows}, P:P + ${sum.columns}]`,
        "print(dX.tolist())");
    case "layer":
      return lines(
        head, array("X", sum.X), array("F", sum.F), array("b", sum.bias), `S, P = ${sum.stride}, ${sum.padding}  # stride, padding`,
        "X = np.pad(X, ((P, P), (P, P), (0, 0)))",
        "windows = np.lib.stride_tricks.sliding_window_view(X, F.shape[1:3], (0, 1))[::S, ::S]",
        'O = np.einsum("yxcrs,krsc->yxk", windows, F) + b',
        "print(O.tolist())");
    case "dense":
      return lines(head, array("x", sum.x), array("W", sum.W), array("b", sum.bias), "y = W @ x + b", "print(y.tolist())");
    case "pool":
      return lines(
        head, array("X", rowsOf(sum.X)), `S = ${sum.stride}  # stride`,
        `windows = np.lib.stride_tricks.sliding_window_view(X, (${sum.window.join(", ")}))[::S, ::S]`,
        `O = windows.${{ max: "max", average: "mean", sum: "sum" }[sum.how]}((2, 3))`,
        "print(O.tolist())");
  }
}

/** @param {readonly number[]} list @param {number} size */
function cut(list, size) {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

/** @param {Matrix} matrix */
function rowsOf({ values, columns }) {
  return cut(values, columns);
}

/** @param {...(string | null)} texts */
function lines(...texts) {
  return texts.filter((text) => text !== null).join("\n");
}

/** @param {Move} move */
function moved({ stride, padding, dilation }) {
  return `S, P, D = ${stride}, ${padding}, ${dilation}  # stride, padding, dilation`;
}

/** @param {Move} move @param {string} index @param {string} length */
function turned({ flip }, index, length) {
  return flip ? `${length} - 1 - ${index}` : index;
}

/**
 * Four loops around a line, which is for places inside of X only.
 *
 * @param {Move} move
 * @param {string} rows
 * @param {string} columns
 * @param {string} R
 * @param {string} C
 * @param {string} line
 * @param {string} [inside] - what the place (i, j) is one of.
 */
function windows({ padding }, rows, columns, R, C, line, inside = "X") {
  return [
    `for y in range(${rows}):`,
    `    for x in range(${columns}):`,
    `        for r in range(${R}):`,
    `            for s in range(${C}):`,
    "                i, j = S*y + D*r - P, S*x + D*s - P",
    ...(padding > 0
      ? [`                if 0 <= i < len(${inside}) and 0 <= j < len(${inside}[0]):`, `                    ${line}`]
      : [`                ${line}`]),
  ];
}

/** Windows of a padded X, with gaps. @param {string} shape */
function windowed(shape) {
  return [
    "X = np.pad(X, P)",
    `R, C = (D*(side - 1) + 1 for side in ${shape})  # what a window covers`,
    "windows = np.lib.stride_tricks.sliding_window_view(X, (R, C))[::S, ::S, ::D, ::D]",
  ];
}

/** @param {string} name @param {any} value */
function assigned(name, value) {
  return `${name} = ${literal(value, name.length + 3)}`;
}

/** @param {string} name @param {any} value */
function array(name, value) {
  return `${name} = np.array(${literal(value, name.length + 12)})`;
}

/**
 * Nested lists of numbers; what is too long for a line has a line for each of its parts.
 *
 * @param {any} value
 * @param {number} indent
 * @returns {string}
 */
function literal(value, indent) {
  if (typeof value === "number") return String(value);
  const parts = value.map((/** @type {any} */ one) => literal(one, indent + 1));
  const short = `[${parts.join(", ")}]`;
  if (short.length <= WIDE || typeof value[0] === "number") return short;
  return `[${parts.join(`,\n${" ".repeat(indent + 1)}`)}]`;
}
