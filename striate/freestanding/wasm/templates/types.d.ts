/** {{ name }}: a convolutional network in WebAssembly, made by striate. */

/** Height, width and channels of an image, whose numbers are in this order. */
export declare const inputShape: readonly number[];
/** The shape of what the network says of an image. */
export declare const outputShape: readonly number[];
/** How many images are computed together. */
export declare const batch: number;
/** What each output is of, null if that was never said. */
export declare const classes: readonly string[] | null;

/** Raw pixels, one image behind the other, each row by row, channels last. */
export type Images = Float32Array | Uint8Array | Uint8ClampedArray;

/** The contents of the files: one module of the three is enough if the engine can run it. */
export interface Contents {
  fused?: BufferSource;
  simd?: BufferSource;
  plain?: BufferSource;
  weights: BufferSource;
}

/** A network that is ready to run. It keeps no images, and runs one call at a time. */
export interface Network {
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly batch: number;
  readonly classes: readonly string[] | null;
  /** Whether multiply-adds are rounded once, as on processors that have an instruction for them. */
  readonly roundsOnce: boolean;
  /**
   * What the network says of images, the outputs of each one behind the other: logits, or numbers
   * in regression. Of any number of images; a RangeError if there is a part of one.
   */
  run(images: Images): Float32Array;
{% if kind != "numbers" %}
  /** How likely each {{ "class" if kind == "classes" else "label" }} is, for each image, one behind the other. */
  probabilities(images: Images): Float64Array;
{% endif %}
{% if training %}
  /** Forgets all that was learned: the weights are those that were exported. */
  begin(): void;
  /** All that was learned, as bytes to keep and to go on with. */
  state: Uint8Array;
  /**
   * Learns from 1 to `batch` images by one step, and returns their mean loss before it; nothing is
   * learned where that is infinite or no number. A RangeError if there is another number of images or
   * {{ "labels, or a label that is no class" if training.takes_labels else "targets" }}.
   */
  train(
    images: Images,
    {{ "labels" if training.takes_labels else "targets" }}: ArrayLike<number>,
    learningRate: number,
{% if training.takes_keys %}
    keys?: ArrayLike<number>,
{% endif %}
  ): number;
{% endif %}
}

/**
 * Loads the network: of the three modules the fastest that the engine can run.
 *
 * @param source the folder with the files, by default that of this one; or their contents.
 */
export declare function load(source?: string | URL | Contents): Promise<Network>;
