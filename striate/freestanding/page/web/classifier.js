// The network with all that the model's file says of images and answers.

class Classifier {
  // `network` has `run`; `settings` are those that striate/freestanding/page/page_export.py writes.
  constructor(network, settings) {
    Object.assign(this, { network, settings, shape: settings.wanted, answers: settings.answers });
    this.names = settings.names;
    this.rejection = settings.rejection && {
      ...settings.rejection,
      distances: embeddedFloats(settings.rejection.distances),
      arrays: Object.fromEntries(
        Object.entries(settings.rejection.arrays).map(([name, { shape, data }]) => [
          name, { rows: shape[0], columns: shape[1], data: embeddedFloats(data) },
        ]),
      ),
    };
  }

  // The network's input for a picture whose pixels `plainOf` has made plain.
  prepare(plain) {
    const image = prepared(plain, this.shape);
    return { image, input: networkInput(image, this.settings.maximum) };
  }

  // What each output says: probabilities, or numbers as they are.
  #values(outputs) {
    return this.answers.kind === "numbers" ? Array.from(outputs) : probabilities(this.answers, outputs);
  }

  #run(input) {
    const both = this.network.run(input), count = this.names.length;
    return { outputs: both.subarray(0, count), features: both.subarray(count) };
  }

  // { values, order, given, rejected, milliseconds }: `order` begins with the likeliest; `given`
  // are the labels that the image has; `rejected` is null if the network never says unknown.
  answer(input) {
    const began = performance.now();
    const { outputs, features } = this.#run(input);
    const milliseconds = performance.now() - began;
    const values = this.#values(outputs);
    if (!values.every(Number.isFinite)) throw new Error("the network's outputs for it are no numbers");
    const order = this.answers.kind === "numbers" ? values.map((_, i) => i) : ranking(values);
    return {
      values,
      order,
      given: this.answers.kind === "labels" ? order.filter((label) => isGiven(this.answers, values, label)) : [],
      rejected: this.rejection && rejected(this.rejection, outputs, features),
      milliseconds,
    };
  }

  // Covers part after part; gives the page time in between, tells `onPause(share)` how much is done,
  // and ends early, with null, once that returns false. Returns the patch's places, and what each
  // output says with each of them covered.
  async look(input, milliseconds, onPause) {
    const { width, height, channels } = this.shape;
    const across = FINENESS.find((places) => places ** 2 * milliseconds < PATIENCE) ?? FINENESS.at(-1);
    const patch = patchPlaces(height, width, across);
    const colour = meanColour(input, channels, this.settings.maximum === 255);
    const values = [];
    let pause = performance.now() + SLICE;
    for (const place of patch.places) {
      const { outputs } = this.#run(covered(input, this.shape, patch, place, colour));
      values.push(this.#values(outputs));
      if (performance.now() < pause) continue;
      await breath();
      if (!onPause(values.length / patch.places.length)) return null;
      pause = performance.now() + SLICE;
    }
    return { patch, values };
  }
}

const FINENESS = [ACROSS, 10, 7, 5]; // places along each side: fewer where the network is slow
const PATIENCE = 4000; // milliseconds that looking at all of them may take
const SLICE = 24; // milliseconds of work between two breaths

// Lets the page draw and react.
const breath = () => new Promise((resolve) => setTimeout(resolve));
