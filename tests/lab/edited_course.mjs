// What the tests ask of the lab's engine: a training of a network, and the sums of one of its layers.
import { inputGradientParts } from "../../striate/lab/web/maths/network/layers/batch_norm.js";
import { trainingPassOf } from "../../striate/lab/web/maths/network/readable_network.js";
import { multipliedBy, readBy, readersOf } from "../../striate/lab/web/maths/network/terms.js";
import { inputShape } from "../../striate/lab/web/maths/network/description.js";
import { specOf } from "../../striate/lab/web/maths/network/layer_options.js";
import { edited, planned } from "../../striate/lab/web/maths/network/network_plan.js";
import { Course } from "../../striate/lab/web/maths/training/course.js";
import { NumpyRandom } from "../../striate/lab/web/maths/training/numpy_random.js";
import { ReadableLearner } from "../../striate/lab/web/maths/training/readable_learner.js";
import { adamwStep } from "../../striate/lab/web/maths/network/update_rules.js";

/** All steps of a training. */
export function trained(network, { images, labels }, test, recipe, seed) {
  const part = (one) => ({ images: Float32Array.from(one.images), labels: one.labels });
  const learner = new ReadableLearner(network, recipe.optimizer, seed);
  const course = new Course(learner, part({ images, labels }), part(test), recipe, seed);
  while (!course.isDone) course.advance();
  return { losses: course.losses, epochs: course.epochs, state: learner.weights.slice(0, learner.buffers) };
}

/** The three ways of ∂L/∂x through a batch normalisation, for each place of the batch. */
export function batchNormWays(network, state, batch, keys, index) {
  const pass = trainingPassOf(network, state, batch, keys).layer(index);
  return Array.from(pass.x, (_, place) => inputGradientParts(pass, place));
}

/** Values, input gradients and weight gradients of a layer, added up from their terms, for one image. */
export function addedTerms(network, state, batch, keys, index) {
  const pass = trainingPassOf(network, state, batch, keys), layer = network.layers[index], from = inputShape(network, index);
  const x = pass.values[index], above = pass.gradients[index + 1];
  const right = ({ weight, factor }) => (weight < 0 ? factor : state[weight]), left = ({ input }) => (input < 0 ? 1 : x[input]);
  const sum = (links, term) => links.reduce((total, link) => total + term(link), 0);
  return {
    values: Array.from(above, (_, output) => sum(readBy(layer, from, x, output), (link) => left(link) * right(link))),
    below: Array.from(x, (_, input) => sum(readersOf(layer, from, x, input), (link) => above[link.output] * right(link))),
    weights: Object.fromEntries(Object.values(layer.weights).flatMap(({ start, shape }) =>
      Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => [start + i,
        sum(multipliedBy(layer, from, start + i), (link) => above[link.output] * left(link))]))),
    pass,
  };
}

/** Normal numbers from a seed. */
export function normals(entropy, count) {
  const random = new NumpyRandom(entropy);
  return Array.from({ length: count }, () => random.normal());
}

/** Steps of AdamW for some gradients in turn. */
export function moved(weights, gradients, decays, rate, rule) {
  const [w, mean, square] = [Float32Array.from(weights), new Float32Array(weights.length), new Float32Array(weights.length)];
  gradients.forEach((one, i) => adamwStep(w, mean, square, Float32Array.from(one), { step: i + 1, rate, decays }, rule));
  return { weights: w, mean, square };
}

/** A network that is cured by the first cure of its first fault until it fits, and the faults of each state. */
export function cured(task, given) {
  let specs = given.map((one) => specOf(one.layer, one));
  const kinds = [];
  for (let left = 20; left > 0; left--) {
    const { layers, end } = planned(task, specs), misfits = [...layers.flatMap((one) => one.misfits), ...end];
    if (!misfits.length) break;
    kinds.push(misfits.map(({ kind }) => kind));
    specs = edited(specs, misfits[0].cures[0]);
  }
  return { kinds, specs };
}
