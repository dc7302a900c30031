// The drawing pad: pointer, finger or keys make strokes, whose pixels are a picture like any other.

const PAD = 280; // pixels of the longer side, roughly: a multiple of the network's
const STEP = 1 / 28; // of a side, that an arrow key moves the pen

class Pad {
  // `onDraw(image, isDone)` is called with the picture while it is drawn and when a stroke ends,
  // with null when it is empty.
  constructor(canvas, shape, lightInk, onDraw) {
    const scale = Math.max(1, Math.ceil(PAD / Math.max(shape.width, shape.height)));
    Object.assign(this, { canvas, onDraw, strokes: [], pen: null, key: [0.5, 0.5], keyDown: false });
    this.drawing = new Drawing(shape.width * scale, shape.height * scale, lightInk);
    this.width = 0.1; // of the shorter side
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.#end());
    canvas.addEventListener("keydown", (event) => this.#press(event));
    paint(canvas, this.drawing.image());
  }

  get radius() {
    return (this.width * Math.min(this.drawing.width, this.drawing.height)) / 2;
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  clear() {
    this.strokes = [];
    this.#redraw();
  }

  undo() {
    this.strokes.pop();
    this.#redraw();
  }

  set light(value) {
    this.drawing.light = value;
    this.#redraw();
  }

  #redraw() {
    this.drawing.clear();
    for (const { radius, points } of this.strokes)
      points.forEach((point, i) => this.drawing.line(points[Math.max(0, i - 1)], point, radius));
    this.#show(true);
  }

  #show(isDone) {
    const image = this.drawing.image();
    paint(this.canvas, image);
    this.onDraw(this.isEmpty ? null : image, isDone);
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.drawing.width,
      ((event.clientY - box.top) / box.height) * this.drawing.height,
    ];
  }

  #begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pen = event.pointerId;
    this.#point(this.#place(event), true);
  }

  #move(event) {
    if (event.pointerId !== this.pen) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const one of between.length ? between : [event]) this.#point(this.#place(one), false);
  }

  #end() {
    if (this.pen === null) return;
    this.pen = null;
    this.#show(true);
  }

  #point(point, isNew) {
    if (isNew || this.isEmpty) this.strokes.push({ radius: this.radius, points: [] });
    const { points, radius } = this.strokes.at(-1);
    this.drawing.line(points.at(-1) ?? point, point, radius);
    points.push(point);
    this.#show(false);
  }

  // Arrows move the pen; with the space bar it is put down and lifted.
  #press(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault();
    if (way) this.key = this.key.map((at, axis) => Math.min(1, Math.max(0, at + way[axis] * STEP)));
    else this.keyDown = !this.keyDown;
    const point = [this.key[0] * this.drawing.width, this.key[1] * this.drawing.height];
    if (this.keyDown) this.#point(point, !way);
    if (!way && !this.keyDown) this.#show(true);
    const place = this.key.map((at) => `${Math.round(100 * at)} %`).join(", ");
    byId("pad-pen").textContent = `Pen ${this.keyDown ? "down" : "up"} at ${place}`;
  }
}
