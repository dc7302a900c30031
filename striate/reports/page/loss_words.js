// What the loss of an image is, and how its gradients are to be read.

import { element } from "./draw.js";
import { EPSILON } from "./explain.js";
import { lossOf } from "./gradients.js";
import { report } from "./values.js";
import { exact, listed, number, typeset } from "./words.js";

export function lossWords(image) {
  const { engine, logits, targets, probabilities, loss } = lossOf(image);
  const { truth } = report.images[image];
  const { smoothing, temperature, heads } = report.loss;
  const right = report.classes[truth];
  const lines = [];
  if (!logits) lines.push(element("p", {}, `The loss of this image is ${number(engine)}; the outputs that it is made of are left out of this page for their size.`));
  else {
    const formula = smoothing
      ? `−Σ t · log p over the classes, with the target t = ${number(targets[truth])} for ${right} and ${number(smoothing / targets.length)} for the others (label smoothing ${number(smoothing)})`
      : `−log p(${right}) = −log ${exact(Math.fround(probabilities[truth]))}`;
    const difference = Math.abs(loss - engine);
    // Each of the terms is rounded to what float32 has of the largest output.
    const bound = EPSILON * (4 + 2 * Math.max(...logits.map(Math.abs))) * 2;
    const fits = difference <= bound;
    lines.push(element("p", { class: "formula loss", "data-loss": loss, "data-fits": String(fits) }, "Loss L, the cross-entropy of this image: ", formula, " = ", element("b", {}, number(loss)), ". ",
      element("span", { class: fits ? "ok" : "off" }, fits ? "✓" : "✗", ` the engine's ${exact(Math.fround(engine))} (difference ${typeset(difference.toExponential(1))}, rounding may be ${typeset(bound.toExponential(1))})`)));
  }
  const has = (type) => report.nodes.some((node) => node.type === type);
  const like = [has("BatchNorm") && "batch normalisation with its running averages, as constants", has("Dropout") && "dropout off"].filter(Boolean);
  lines.push(element("p", { class: "small" }, `∂L/∂value says by how much L rises when the value rises a little, per unit.${like.length
    ? ` As in prediction: ${listed(like)}. Training ${[has("BatchNorm") && "normalises by mean and variance of the whole batch, which depend on every value in it", has("Dropout") && "drops values at random"].filter(Boolean).join(", and ")}.` : ""}`));
  if (temperature !== 1) lines.push(element("p", { class: "small" }, "The loss is that of the training: of the outputs before they are calibrated. The probabilities above are calibrated."));
  if (heads) lines.push(element("p", { class: "small" }, "Training added the losses of auxiliary heads, which are left out here."));
  return element("div", { class: "loss-words" }, element("h3", {}, "The loss"), lines);
}
