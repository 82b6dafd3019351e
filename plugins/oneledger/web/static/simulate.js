// Comfort of the simulator: sliders beside the numbers, sums as they change, and what it does while it computes.
"use strict";

for (const form of document.querySelectorAll("[data-simulation]")) {
  const numbers = [...form.querySelectorAll("input[type=number]")];
  const show = () => {
    for (const sum of form.querySelectorAll("[data-sum]")) {
      const total = numbers
        .filter((one) => (one.dataset.sides || "").split(" ").includes(sum.dataset.sum))
        .reduce((all, one) => all + Number(one.value || 0), 0);
      sum.textContent = String(Math.round(total * 1e6) / 1e6);
      sum.classList.toggle("bad-text", Math.abs(total - 100) > 1e-9);
    }
    for (const one of numbers) one.closest(".slider").classList.toggle("changed", Number(one.value) !== Number(one.dataset.published));
  };
  for (const slider of form.querySelectorAll("input[type=range]")) {
    const number = document.getElementById(slider.dataset.for);
    slider.hidden = false;
    slider.max = String(Math.max(Number(slider.max), Number(number.value)));
    slider.addEventListener("input", () => { number.value = slider.value; show(); });
    number.addEventListener("input", () => { slider.value = number.value; show(); });
  }
  form.addEventListener("submit", () => {
    // What is as published need not stand in the address.
    for (const one of numbers) one.disabled = Number(one.value) === Number(one.dataset.published);
    const working = form.querySelector("[data-working]");
    working.textContent = working.dataset.working;
    form.querySelector("button").setAttribute("aria-busy", "true");
  });
  // Back from the result page by the browser's button: everything can be changed again.
  window.addEventListener("pageshow", () => {
    for (const one of numbers) one.disabled = false;
    form.querySelector("[data-working]").textContent = "";
    show();
  });
}
