// Drawn strokes as pixels. A browser's own lines differ from the next one's, and some alter on
// purpose what a page reads of a canvas; these do not.

class Drawing {
  // `width` × `height` pixels; `light`: light ink on a dark ground, and not the reverse.
  constructor(width, height, light) {
    Object.assign(this, { width, height, light });
    this.clear();
  }

  clear() {
    this.ink = new Float32Array(this.width * this.height); // 0…1
    this.strokes = 0;
  }

  get isEmpty() {
    return this.strokes === 0;
  }

  // A line with round ends from one point to another, of a width of 2 · radius.
  line(from, to, radius) {
    this.strokes++;
    const [x0, y0] = from, dx = to[0] - x0, dy = to[1] - y0, length = dx * dx + dy * dy;
    const within = (low, high, size) => [Math.max(0, Math.floor(low - radius - 1)), Math.min(size - 1, Math.ceil(high + radius + 1))];
    const [left, right] = within(Math.min(x0, to[0]), Math.max(x0, to[0]), this.width);
    const [top, bottom] = within(Math.min(y0, to[1]), Math.max(y0, to[1]), this.height);
    for (let y = top; y <= bottom; y++)
      for (let x = left; x <= right; x++) {
        const px = x + 0.5 - x0, py = y + 0.5 - y0;
        const along = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
        const ink = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(px - along * dx, py - along * dy)));
        const at = y * this.width + x;
        if (ink > this.ink[at]) this.ink[at] = ink;
      }
  }

  // As a gray image.
  image() {
    const data = Uint8Array.from(this.ink, (ink) => Math.round(255 * (this.light ? ink : 1 - ink)));
    return { width: this.width, height: this.height, channels: 1, data };
  }
}
