// What the page shows of pictures and answers.

const TOP = 5;
const LONG = 16; // characters of an answer that is set smaller
const TELLS = 0.005; // a fall of a probability that is worth telling
const PREVIEW = 512; // pixels of the longer side of the picture that is shown

const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const quoted = (name) => `“${name}”`;
const number = (value) => String(Number(value.toPrecision(5)));

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// An image of 1 or 3 channels on a canvas, pixel by pixel.
function paint(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d"), shown = context.createImageData(image.width, image.height);
  const { data } = recoloured(image, 3);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    shown.data[to] = data[from];
    shown.data[to + 1] = data[from + 1];
    shown.data[to + 2] = data[from + 2];
    shown.data[to + 3] = 255;
  }
  context.putImageData(shown, 0, 0);
}

function paintPreview(canvas, plain) {
  const factor = Math.max(1, Math.floor(Math.max(plain.width, plain.height) / PREVIEW));
  paint(canvas, factor === 1 ? plain : reduced(plain, factor, factor));
  canvas.hidden = false;
}

// Changes for each pixel as colours over the image: orange where covering costs, blue where it helps.
function paintChanges(canvas, shape, changes) {
  canvas.width = shape.width;
  canvas.height = shape.height;
  const context = canvas.getContext("2d"), shown = context.createImageData(shape.width, shape.height);
  const most = Math.max(...changes.map(Math.abs)) || 1;
  changes.forEach((change, i) => {
    const [red, green, blue] = change < 0 ? [230, 97, 0] : [33, 102, 172];
    shown.data.set([red, green, blue, Math.round(200 * Math.sqrt(Math.abs(change) / most))], 4 * i);
  });
  context.putImageData(shown, 0, 0);
}

// Places a frame over the canvas, both of which lie in the same box.
function placeFrame(frame, shape, patch, place) {
  frame.hidden = !place;
  if (!place) return;
  const sides = { top: place[0] / shape.height, left: place[1] / shape.width };
  const spans = { height: patch.height / shape.height, width: patch.width / shape.width };
  for (const [side, share] of Object.entries({ ...sides, ...spans })) frame.style[side] = `${100 * share}%`;
}

class AnswerView {
  // `onChoose` is called with the index of the output that the user wants explained.
  constructor(classifier, onChoose) {
    Object.assign(this, { classifier, onChoose });
  }

  show(answer, chosen) {
    this.#say(...this.#words(answer));
    const shown = this.classifier.answers.kind === "numbers" ? answer.order : answer.order.slice(0, TOP);
    byId("bars").replaceChildren(...shown.map((index) => this.#bar(answer, index, index === chosen)));
    byId("answer").classList.toggle("is-unknown", Boolean(answer.rejected?.unknown));
    byId("time").textContent = `Answered in ${answer.milliseconds.toFixed(answer.milliseconds < 10 ? 1 : 0)} ms.`;
  }

  // The answer in large type, and the sentence below it.
  #words({ values, order, given, rejected }) {
    const { names, answers } = this.classifier, best = order[0];
    if (answers.kind === "numbers") {
      if (names.length === 1) return [number(values[0]), names[0]];
      const told = values.slice(0, TOP).map((value, i) => `${names[i]} ${number(value)}`).join(", ");
      return [names.length > TOP ? `${told}, …` : told, ""];
    }
    if (answers.kind === "labels") {
      const nearest = `The most probable one is ${quoted(names[best])}, ${percent(values[best])}.`;
      return given.length ? [given.map((label) => names[label]).join(", "), ""] : ["no label", nearest];
    }
    if (rejected?.unknown)
      return [
        UNKNOWN,
        `Less like the images of the training than ${rejected.nearer < 1 ? percent(rejected.nearer) : "all"} of the known ones. ` +
          `Otherwise: ${quoted(names[best])}, ${percent(values[best])}.`,
      ];
    return [names[best], percent(values[best])];
  }

  #say(large, small) {
    // Only what has changed is said aloud.
    if (byId("said").textContent !== large) byId("said").textContent = large;
    byId("answer").classList.toggle("is-long", large.length > LONG);
    byId("detail").textContent = small;
  }

  #bar({ values, given }, index, isChosen) {
    const isNumber = this.classifier.answers.kind === "numbers";
    const value = element("span", { class: "value" }, isNumber ? number(values[index]) : percent(values[index]));
    const name = element("span", { class: "name" }, this.classifier.names[index]);
    const button = element("button", { type: "button", "aria-pressed": String(isChosen), "data-output": index,
      onclick: () => this.onChoose(index) }, name, value);
    if (!isNumber) {
      const bar = element("span", { class: given.includes(index) ? "bar is-given" : "bar", "aria-hidden": "true" });
      bar.style.setProperty("--share", values[index].toFixed(4));
      button.append(bar);
    }
    return element("li", {}, button);
  }
}

// Why: the patch whose covering changes an output most, and what it does.
function showReason(classifier, answer, looked, index) {
  const { shape, names, answers } = classifier, { patch, values } = looked;
  const before = answer.values[index], changes = values.map((of) => of[index] - before);
  const isNumber = answers.kind === "numbers";
  const place = mostTelling(changes, !isNumber), after = before + changes[place];
  const tells = isNumber ? changes[place] !== 0 : -changes[place] > TELLS;
  const told = isNumber ? number : percent;
  placeFrame(byId("frame"), shape, patch, tells ? patch.places[place] : null);
  paintChanges(byId("changes"), shape, meanChange(shape, patch, changes));
  byId("reason").textContent = tells
    ? `What tells most of ${quoted(names[index])} is in the frame: with it covered, ${told(before)} becomes ${told(after)}.`
    : `No part by itself tells of ${quoted(names[index])}: whatever is covered, it stays at ${percent(Math.min(before, after))} or more.`;
  byId("heat-choice").hidden = !tells;
  byId("looking").hidden = true;
}

function hideReason(text) {
  placeFrame(byId("frame"), null, null, null);
  byId("changes").width = 0;
  byId("reason").textContent = text;
  byId("heat-choice").hidden = byId("looking").hidden = true;
}
