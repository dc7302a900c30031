// What an answer depends on: parts of the image are covered, one after the other, and the network
// is asked again (Zeiler and Fergus, arXiv:1311.2901), as striate/reports/occlusion.py does it.

const ACROSS = 14; // places of the patch along each side, roughly

// Where the patch is laid: { height, width, places: [[y, x]…] }; it has a quarter of the sides.
function patchPlaces(height, width, across = ACROSS) {
  const sides = [height, width].map((pixels) => Math.max(1, halfToEven(pixels / 4)));
  const starts = [height, width].map((pixels, axis) => {
    const step = Math.max(1, halfToEven(pixels / across)), last = pixels - sides[axis];
    const found = [];
    for (let at = 0; at < last; at += step) found.push(at);
    return [...found, last];
  });
  const places = starts[0].flatMap((y) => starts[1].map((x) => [y, x]));
  return { height: sides[0], width: sides[1], places };
}

// The mean colour of the network's input; a whole one where its pixels are whole.
function meanColour(image, channels, whole) {
  const sums = new Array(channels).fill(0);
  for (let i = 0; i < image.length; i++) sums[i % channels] += image[i];
  return sums.map((sum) => (whole ? halfToEven : Number)((sum * channels) / image.length));
}

function covered(image, shape, patch, [top, left], colour) {
  const made = image.slice();
  for (let y = top; y < top + patch.height; y++)
    for (let x = left; x < left + patch.width; x++) made.set(colour, (y * shape.width + x) * shape.channels);
  return made;
}

// For each pixel the mean change of a number over all places of the patch that cover it.
function meanChange(shape, patch, changes) {
  const total = new Float64Array(shape.height * shape.width), times = new Float64Array(total.length);
  patch.places.forEach(([top, left], place) => {
    for (let y = top; y < top + patch.height; y++)
      for (let x = left; x < left + patch.width; x++) {
        total[y * shape.width + x] += changes[place];
        times[y * shape.width + x]++;
      }
  });
  return total.map((sum, i) => sum / times[i]);
}

// The place whose covering changes the number most: of a probability, lets it fall most.
function mostTelling(changes, falls) {
  const weight = changes.map((change) => (falls ? -change : Math.abs(change)));
  return weight.indexOf(Math.max(...weight));
}
