// Comfort: pointing at a box or line lights the whole way through it and pales the rest.
"use strict";

for (const picture of document.querySelectorAll("svg.graph")) {
  const edges = [...picture.querySelectorAll("path.edge")];
  const boxes = new Map([...picture.querySelectorAll("[data-node]")].map((box) => [box.dataset.node, box]));
  const next = { from: new Map(), to: new Map() };
  for (const edge of edges) {
    for (const side of ["from", "to"]) {
      const name = edge.dataset[side];
      if (!next[side].has(name)) next[side].set(name, []);
      next[side].get(name).push(edge);
    }
  }
  const walk = (name, side, other, found) => {
    for (const edge of next[side].get(name) ?? []) {
      if (found.has(edge)) continue;
      found.add(edge);
      walk(edge.dataset[other], side, other, found);
    }
    return found;
  };
  const light = (name) => {
    const lit = new Set([...walk(name, "from", "to", new Set()), ...walk(name, "to", "from", new Set())]);
    if (!lit.size) return;
    picture.classList.add("pointing");
    const names = new Set([name]);
    for (const edge of edges) {
      edge.classList.toggle("lit", lit.has(edge));
      if (lit.has(edge)) names.add(edge.dataset.from).add(edge.dataset.to);
    }
    for (const [other, box] of boxes) box.classList.toggle("lit", names.has(other));
  };
  const rest = () => {
    picture.classList.remove("pointing");
    for (const one of picture.querySelectorAll(".lit")) one.classList.remove("lit");
  };
  for (const [name, box] of boxes) {
    box.addEventListener("pointerenter", () => light(name));
    box.addEventListener("focus", () => light(name));
    box.addEventListener("pointerleave", rest);
    box.addEventListener("blur", rest);
  }
}
