// Comfort only: everything on a page can be read and done without this script.
"use strict";

for (const link of document.querySelectorAll("[data-language]")) {
  link.addEventListener("click", () => {
    document.cookie = `oneledger_language=${link.dataset.language}; path=/; max-age=31536000; samesite=lax`;
  });
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("oneledger_theme", root.dataset.theme); } catch (error) { console.warn("theme not kept", error); }
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1200);
  });
}

// What scrolls sideways can be scrolled with the keys as well.
for (const box of document.querySelectorAll(".wide, .drawing")) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}

// A number within bounds can also be dragged: its slider only exists with this script.
for (const number of document.querySelectorAll("input[type=number][data-slider]")) {
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: number.min, max: number.max, step: "1" });
  slider.value = number.value || number.min;
  slider.setAttribute("aria-label", number.labels[0].textContent.trim());
  slider.addEventListener("input", () => { number.value = slider.value; });
  number.addEventListener("input", () => { slider.value = number.value; });
  number.closest("label").after(slider);
}

// A form that filters sends itself when a choice is made; its button stays for who has no script.
for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// Charts: what a mark says to a screen reader, it says to the mouse.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
for (const chart of document.querySelectorAll("svg.chart")) {
  chart.addEventListener("mousemove", (event) => {
    const mark = event.target.closest("[data-said], [aria-label]");
    tip.hidden = !mark || mark === chart || Boolean(mark.closest(".role-axis, .role-legend"));
    if (tip.hidden) return;
    tip.textContent = mark.dataset.said ?? mark.getAttribute("aria-label");
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.transform = `translate(${left}px, ${event.clientY + 14}px)`;
  });
  chart.addEventListener("mouseleave", () => { tip.hidden = true; });
}
