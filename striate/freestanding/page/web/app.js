// Puts the page together: where pictures come from, what is said of them, and why.

const WAYS = ["file", "camera", "draw"];
const LIVE = 60; // milliseconds of an answer up to which it follows the pen

class App {
  constructor(classifier) {
    const { settings } = classifier;
    Object.assign(this, { classifier, settings, current: null, turn: 0, chosen: null, held: null });
    this.way = null;
    this.pictures = {}; // the last one of each way that keeps its own
    this.opened = 0;
    this.view = new AnswerView(classifier, (index) => this.#choose(index));
    this.camera = new Camera(byId("video"));
    this.#listenToFiles();
    this.#listenToCamera();
    if (settings.pad) this.#listenToPad();
    this.#listenToWays();
    byId("save").addEventListener("click", () => save(this.current.plain));
    byId("heat").addEventListener("change", () => (byId("changes").hidden = !byId("heat").checked));
    this.go(settings.pad ? "draw" : "file");
  }

  // --- the answer ---------------------------------------------------------------------------

  // Classifies a picture; `isLive`: it will change at once, so that no reason is looked for.
  show(plain, isLive = false) {
    const turn = ++this.turn;
    const { image, input } = this.classifier.prepare(plain);
    const answer = this.classifier.answer(input);
    this.current = { plain, input, answer, looked: null };
    this.chosen = answer.given[0] ?? answer.order[0];
    paint(byId("seen"), image);
    // Whoever gives a file has it.
    byId("save").hidden = isLive || plain.isFile === true;
    byId("result").hidden = false;
    byId("nothing").hidden = true;
    this.view.show(answer, this.chosen);
    if (isLive) hideReason("");
    else this.#look(turn);
  }

  async #look(turn) {
    const { input, answer } = this.current;
    hideReason("Covering one part after the other, to see which tells most …");
    byId("looking").hidden = false;
    byId("why").setAttribute("aria-busy", "true");
    const looked = await this.classifier.look(input, answer.milliseconds, (share) => {
      byId("looking").value = share;
      return turn === this.turn;
    });
    if (!looked || turn !== this.turn) return;
    this.current.looked = looked;
    byId("why").setAttribute("aria-busy", "false");
    showReason(this.classifier, answer, looked, this.chosen);
  }

  #choose(index) {
    this.chosen = index;
    this.view.show(this.current.answer, index);
    byId("bars").querySelector(`[data-output="${index}"]`)?.focus();
    if (this.current.looked) showReason(this.classifier, this.current.answer, this.current.looked, index);
  }

  forget() {
    this.turn++;
    this.current = null;
    byId("result").hidden = true;
    byId("nothing").hidden = false;
  }

  tell(text) {
    byId("note").textContent = text;
    byId("note").hidden = !text;
  }

  // --- ways -----------------------------------------------------------------------------------

  go(way) {
    for (const one of WAYS) {
      byId(`tab-${one}`)?.setAttribute("aria-selected", String(one === way));
      if (byId(`tab-${one}`)) byId(`tab-${one}`).tabIndex = one === way ? 0 : -1;
      if (byId(`panel-${one}`)) byId(`panel-${one}`).hidden = one !== way;
    }
    this.tell("");
    if (way === this.way) return;
    this.way = way;
    this.#stopCamera();
    if (this.pictures[way]) this.show(this.pictures[way]);
    else this.forget();
  }

  #listenToWays() {
    const tabs = WAYS.map((way) => byId(`tab-${way}`)).filter(Boolean);
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => this.go(tab.dataset.way));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = tabs[(i + step + tabs.length) % tabs.length];
        next.focus();
        this.go(next.dataset.way);
      });
    });
  }

  #listenToFiles() {
    const input = byId("file");
    input.addEventListener("change", () => {
      this.open(input.files);
      input.value = "";
    });
    byId("choose").addEventListener("click", () => input.click());
    document.addEventListener("paste", (event) => this.#take(event, event.clipboardData));
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("is-dragging");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("is-dragging");
    });
    document.addEventListener("drop", (event) => {
      document.body.classList.remove("is-dragging");
      this.#take(event, event.dataTransfer);
    });
  }

  #take(event, transfer) {
    event.preventDefault();
    if (transfer?.files.length) this.open(transfer.files);
    else this.tell("There is no picture in it: this page loads nothing from elsewhere, so give the file itself.");
  }

  // The first of some files.
  async open(files) {
    if (!files.length) return;
    const [file] = files, turn = ++this.opened;
    this.pictures.file = null;
    this.go("file");
    try {
      const decoded = await decodedFile(file, this.settings.white, this.settings.maxPixels);
      if (turn !== this.opened) return; // another one has been given since
      const plain = { ...plainOf(decoded), isFile: true };
      this.pictures.file = plain;
      paintPreview(byId("preview"), plain);
      this.show(plain);
      this.tell(files.length > 1 ? `This is the first of ${files.length} pictures: one at a time.` : "");
    } catch (error) {
      if (turn !== this.opened) return;
      byId("preview").hidden = true;
      this.forget();
      this.tell(`${file.name || "The picture"}: ${error.message}.`);
    }
  }

  #listenToCamera() {
    const problem = whyNoCamera();
    byId("camera-problem").textContent = problem ?? "";
    byId("camera-start").disabled = problem !== null;
    byId("camera-start").addEventListener("click", () => this.#startCamera());
    byId("camera-hold").addEventListener("click", () => (this.held ? this.#follow() : this.#hold()));
    byId("camera-stop").addEventListener("click", () => this.#stopCamera());
  }

  async #startCamera() {
    byId("camera-problem").textContent = "";
    try {
      await this.camera.start();
    } catch (error) {
      this.camera.stop();
      byId("camera-problem").textContent = cameraProblem(error);
      return;
    }
    this.#showCamera();
    this.#follow();
  }

  #showCamera() {
    const { isOn } = this.camera;
    byId("panel-camera").classList.toggle("is-on", isOn);
    byId("camera-start").hidden = byId("camera-hint").hidden = isOn;
    for (const id of ["video", "camera-hold", "camera-stop"]) byId(id).hidden = !isOn;
    byId("camera-hold").textContent = this.held ? "Go on" : "Hold this picture";
  }

  // Answers for one frame after the other until one is held.
  async #follow() {
    this.held = null;
    await this.camera.video.play();
    this.#showCamera();
    while (this.camera.isOn && !this.held) {
      const plain = this.camera.frame();
      if (plain) this.show(plain, true);
      await new Promise((resolve) => requestAnimationFrame(resolve));
      await breath();
    }
  }

  #hold() {
    this.camera.video.pause();
    this.held = this.camera.frame();
    this.#showCamera();
    if (this.held) this.show(this.held);
  }

  #stopCamera() {
    if (!this.camera.isOn) return;
    this.camera.stop();
    this.held = null;
    this.#showCamera();
    this.forget();
  }

  #listenToPad() {
    const { settings } = this;
    const pad = new Pad(byId("pad"), settings.wanted, settings.lightInk, (image, isDone) => {
      byId("pad-clear").disabled = byId("pad-undo").disabled = !image;
      byId("pad-hint").hidden = Boolean(image);
      this.pictures.draw = image;
      if (!image) this.forget();
      else if (isDone || !(this.current?.answer.milliseconds > LIVE)) this.show(image, !isDone);
    });
    byId("pad-clear").addEventListener("click", () => pad.clear());
    byId("pad-undo").addEventListener("click", () => pad.undo());
    const choosePen = () => (pad.width = byId("pad-width").value / 100);
    byId("pad-width").addEventListener("input", choosePen);
    choosePen();
    byId("pad-dark").checked = !settings.lightInk;
    byId("pad-dark").addEventListener("change", (event) => (pad.light = !event.target.checked));
  }
}

// A picture as it was before it became the network's input.
function save(plain) {
  const canvas = element("canvas");
  paint(canvas, plain);
  canvas.toBlob((blob) => {
    const link = element("a", { href: URL.createObjectURL(blob), download: "picture.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
}

async function begin() {
  const settings = JSON.parse(byId("settings").textContent);
  const embedded = (id) => embeddedBytes(byId(id).textContent);
  const kinds = ["fused", "simd", "plain"];
  const modules = await Promise.all(kinds.map(async (id) => [id, await inflated([embedded(id)])]));
  const contents = { ...Object.fromEntries(modules), weights: embedded("weights") };
  const app = new App(new Classifier(await load(contents), settings));
  document.body.dataset.ready = performance.now().toFixed(0);
  return app;
}

begin().catch((error) => {
  byId("note").hidden = false;
  byId("note").textContent = `The network does not start in this browser: ${error.message}. It needs WebAssembly, as all browsers have since 2023.`;
});
