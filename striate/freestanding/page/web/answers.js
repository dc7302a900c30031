// From a network's outputs to what it says of an image, as striate/confidence does it.

const UNKNOWN = "unknown";

function softmax(values) {
  const most = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

// The probability of each class or label; `answers`: { kind, temperature, thresholds }.
function probabilities(answers, outputs) {
  const scaled = Array.from(outputs, (value) => value / answers.temperature);
  return answers.kind === "labels" ? scaled.map((value) => 1 / (1 + Math.exp(-value))) : softmax(scaled);
}

// The order of probabilities, the largest first, of equal ones the first.
const ranking = (chances) => chances.map((_, i) => i).sort((a, b) => chances[b] - chances[a] || a - b);

const isGiven = (answers, chances, label) => chances[label] >= (answers.thresholds[label] ?? 0.5);

// --- how far an image is from those of the training ------------------------------------------------

// A matrix is { rows, columns, data }.
function times(vector, matrix, rows = matrix.rows) {
  const found = new Float64Array(matrix.columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < matrix.columns; column++)
      found[column] += vector[row] * matrix.data[row * matrix.columns + column];
  return found;
}

const rowOf = (matrix, row) => matrix.data.subarray(row * matrix.columns, (row + 1) * matrix.columns);

// The distance to the `place`-th nearest row.
function nearest(point, matrix, place) {
  const squares = [];
  for (let row = 0; row < matrix.rows; row++) {
    const other = rowOf(matrix, row);
    squares.push(point.reduce((sum, value, i) => sum + (value - other[i]) ** 2, 0));
  }
  squares.sort((a, b) => a - b);
  return Math.sqrt(squares[Math.min(place, matrix.rows) - 1]);
}

// A layer whose last row of weights is the bias.
function dense(vector, matrix) {
  const last = matrix.rows - 1, bias = rowOf(matrix, last);
  return times(vector, matrix, last).map((value, i) => value + bias[i]);
}

function logSumExp(values) {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

// The distances of striate/confidence/scores.py.
const DISTANCES = {
  softmax: (outputs) => 1 - Math.max(...softmax(outputs)),
  logit: (outputs) => -Math.max(...outputs),
  energy: (outputs) => -logSumExp(outputs),
  mahalanobis: (outputs, features, { whitening, means }) => nearest(times(features, whitening), means, 1),
  neighbours(outputs, features, { centre, directions, bank }) {
    const reduced = times(features.map((value, i) => value - centre.data[i]), directions);
    const length = Math.sqrt(reduced.reduce((sum, value) => sum + value * value, 0));
    return nearest(reduced.map((value) => value / (length || 1)), bank, 2);
  },
  exposure(outputs, features, { hidden, decided }) {
    const found = Array.from(dense(dense(features, hidden).map((value) => Math.max(value, 0)), decided));
    return found.pop() - Math.max(...found);
  },
};

// What a network's rejection says: { distance, nearer, unknown }: `nearer` is the share of known
// images that are nearer. What is no number is not known either.
function rejected(rejection, outputs, features) {
  const distance = DISTANCES[rejection.score](Array.from(outputs), Float64Array.from(features), rejection.arrays);
  let nearer = 0;
  while (nearer < rejection.distances.length && rejection.distances[nearer] < distance) nearer++;
  return {
    distance,
    nearer: nearer / rejection.distances.length,
    unknown: !(distance <= rejection.threshold),
  };
}
