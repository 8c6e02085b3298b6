"use strict";
document.documentElement.classList.remove("plain");
for (const form of document.querySelectorAll("form.filters")) {
  const list = document.getElementById(form.dataset.list);
  const items = [...list.querySelectorAll("[data-item]")].map((node) => ({ node, text: null }));
  const groups = [...list.querySelectorAll(".group")];
  const output = form.querySelector("output");

  const matches = (item, wanted, words) => {
    for (const [name, values] of wanted) {
      if (!values.has(item.node.dataset[name] || "")) return false;
    }
    if (!words.length) return true;
    item.text ??= (item.node.textContent + " " + (item.node.closest(".group")?.dataset.name || "")).toLowerCase();
    return words.every((word) => item.text.includes(word));
  };

  const apply = () => {
    const wanted = new Map();
    for (const select of form.querySelectorAll("select")) {
      if (select.value) wanted.set(select.name, new Set([select.value]));
    }
    for (const box of form.querySelectorAll("input[type=checkbox]")) {
      if (!wanted.has(box.name)) wanted.set(box.name, new Set());
      if (box.checked) wanted.get(box.name).add(box.value);
    }
    const words = form.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items) {
      const show = matches(item, wanted, words);
      item.node.hidden = !show;
      shown += show;
    }
    for (const group of groups) group.hidden = !group.querySelector("[data-item]:not([hidden])");
    output.textContent = `${shown} of ${items.length} shown`;
  };

  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  });
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("[data-open]")?.addEventListener("click", (event) => {
    const open = event.target.getAttribute("aria-pressed") !== "true";
    event.target.setAttribute("aria-pressed", String(open));
    for (const group of groups) group.open = open;
  });
  apply();
}
const reveal = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.matches("details")) target.open = true;
};
addEventListener("hashchange", reveal);
reveal();
