"use strict";
(() => {
  const about = JSON.parse(document.getElementById("check-data").textContent);
  const boxes = [...document.querySelectorAll("input[data-file]")];
  const bar = document.querySelector(".ticked");
  if (!bar) return;
  const places = new Map();
  for (const box of boxes) {
    const same = places.get(box.dataset.file) ?? [];
    places.set(box.dataset.file, [...same, box]);
  }
  // Where a browser allows it, ticks outlive the page.
  const key = `striate check ${location.pathname}`;
  const store = (names) => {
    try {
      localStorage.setItem(key, JSON.stringify(names));
    } catch { /* a browser that keeps nothing */ }
  };
  const stored = () => {
    try {
      const found = JSON.parse(localStorage.getItem(key) ?? "[]");
      return Array.isArray(found) ? found : [];
    } catch {
      return [];
    }
  };

  const ticked = () => [...places].filter(([, same]) => same[0].checked).map(([name]) => name);

  // An image may be in several findings: it is ticked in all of them.
  function tick(name, on) {
    for (const box of places.get(name) ?? []) box.checked = on;
  }

  function show() {
    const names = ticked();
    bar.hidden = names.length === 0;
    document.getElementById("count").textContent = names.length.toLocaleString("en");
    document.getElementById("things").textContent = names.length === 1 ? "image" : "images";
    store(names);
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches("input[data-file]")) return;
    tick(event.target.dataset.file, event.target.checked);
    show();
  });

  for (const button of document.querySelectorAll("button[data-tick]"))
    button.addEventListener("click", () => {
      const what = button.dataset.tick;
      const inside = [...button.closest("section").querySelectorAll("input[data-file]")];
      for (const box of inside) if (what === "none" || !("first" in box.dataset) || what === "all") tick(box.dataset.file, what !== "none");
      // The first of one group may be a copy in another; it stays.
      if (what === "copies") for (const box of inside) if ("first" in box.dataset) tick(box.dataset.file, false);
      show();
    });

  document.getElementById("clear").addEventListener("click", () => {
    for (const name of places.keys()) tick(name, false);
    show();
  });

  document.getElementById("save").addEventListener("click", () => {
    const text = JSON.stringify({ what: about.what, source: about.source, images: ticked() }, null, 1) + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `${about.name.replace(/[^\p{L}\p{N}._-]/gu, "_")}-ticked.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });

  for (const name of stored()) tick(name, true);
  show();
})();
