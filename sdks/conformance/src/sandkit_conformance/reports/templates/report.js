"use strict";
const page = document.documentElement;
const wish = matchMedia("(prefers-color-scheme: dark)");
const paint = (dark) => { page.dataset.theme = dark ? "dark" : "light"; };
paint(wish.matches);
wish.addEventListener("change", (event) => paint(event.matches));
document.getElementById("theme").addEventListener("click", () => paint(page.dataset.theme !== "dark"));

const pressed = (group) =>
  [...document.querySelectorAll(`.chip[data-${group}][aria-pressed=true]`)].map((chip) => chip.dataset[group]);
const search = document.getElementById("search");

function filter() {
  const verdicts = pressed("verdict"), areas = pressed("area"), gating = pressed("gating").length > 0;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = (element) =>
    (!verdicts.length || verdicts.includes(element.dataset.verdict)) &&
    (!areas.length || areas.includes(element.dataset.area)) &&
    (!gating || element.dataset.gates !== "no") &&
    words.every((word) => element.dataset.text.includes(word));
  let shown = 0;
  for (const element of document.querySelectorAll("details.requirement, details.story")) {
    element.hidden = !wanted(element);
    shown += element.hidden ? 0 : 1;
  }
  for (const group of document.querySelectorAll("section.group"))
    group.hidden = !group.querySelector("details.requirement:not([hidden]), details.story:not([hidden])");
  document.getElementById("nothing").hidden = shown > 0;
}

for (const chip of document.querySelectorAll(".chip[aria-pressed]"))
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    filter();
  });
search.addEventListener("input", filter);

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let element = target; element; element = element.parentElement) {
    if (element.tagName === "DETAILS") element.open = true;
    element.hidden = false;
  }
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const text = button.parentElement.querySelector("pre").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.parentElement.querySelector("pre"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  button.textContent = "copied";
  setTimeout(() => { button.textContent = "copy"; }, 1200);
});

function layOut(event) {
  for (const pre of event.target.querySelectorAll("pre:not([data-laid])")) {
    pre.dataset.laid = "";
    if (!/^[{[]/.test(pre.textContent)) continue;
    try {
      pre.textContent = JSON.stringify(JSON.parse(pre.textContent), null, 2);
    } catch { /* shortened, or not JSON after all: shown as it is */ }
  }
}
document.addEventListener("toggle", (event) => {
  if (event.target.matches("details.item[open]")) layOut(event);
}, true);

addEventListener("beforeprint", () => {
  for (const element of document.querySelectorAll("details.requirement:not(.v-pass):not(.v-not-applicable)")) element.open = true;
});
