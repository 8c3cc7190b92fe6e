// What every part of the script shares: the numbers of the page, who is hidden, which switches are set.
const data = JSON.parse(document.getElementById("data").textContent);
const everyone = data.names.map((_, i) => i);
const hidden = new Set();
const state = { cost: document.body.dataset.cost, role: document.body.dataset.role, theme: "" };
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const shown = () => everyone.filter((i) => !hidden.has(i));
