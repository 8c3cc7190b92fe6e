// Switches
function isolate(wanted) {
  hidden.clear();
  for (const i of everyone) if (!wanted(i)) hidden.add(i);
  update();
}
function listen() {
  for (const row of $$(".who label")) {
    const i = Number(row.dataset.i);
    $("input", row).addEventListener("change", (event) => { if (event.target.checked) hidden.delete(i); else hidden.add(i); update(); });
    row.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse" && !hidden.has(i)) focusOn(i); });
    row.addEventListener("pointerleave", () => focusOn(null));
  }
  for (const button of $$("[data-show]")) button.addEventListener("click", () => isolate(() => button.dataset.show === "all"));
  for (const button of $$("[data-family]")) button.addEventListener("click", () => isolate((i) => data.families[i] === Number(button.dataset.family)));
  for (const radio of $$("input[type=radio]")) radio.addEventListener("change", () => { state[radio.name] = radio.value; update(); });
  for (const button of $$("th button")) button.addEventListener("click", () => sortBy(button));
  $(".mode").addEventListener("click", () => {
    const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    setTheme(dark ? "light" : "dark");
    remember();
  });
  for (const draw of $$(".draw:has(> svg)")) {
    draw.addEventListener("pointermove", hover);
    draw.addEventListener("pointerleave", () => endHover(draw));
  }
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  matchMedia("screen and (max-width:760px)").addEventListener("change", update);
  const links = new Map($$(".toc a").map((link) => [link.hash.slice(1), link])), visible = new Set();
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) visible[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const here = [...links.keys()].filter((id) => visible.has(id)).at(-1);
    for (const [id, link] of links) if (here) link.classList.toggle("here", id === here);
  }, { rootMargin: "-8% 0px -85% 0px" });
  for (const id of links.keys()) seen.observe(document.getElementById(id));
}
