// The browser's side of names.py. Gradio gives: element, server.
const list = element.querySelector(".suggestions");
let field = null, asked = 0;

async function suggest(target) {
  field = target;
  const mine = ++asked;
  const items = field.value.trim() ? await server.suggest(field.value) : "";
  if (mine !== asked || document.activeElement !== field) return;
  list.innerHTML = items;
  const only = list.children.length === 1 && list.firstChild.dataset.name === field.value.trim();
  if (only) list.replaceChildren(); // nothing left to choose
  place();
}

function place() {
  list.hidden = !list.children.length;
  field.setAttribute("aria-expanded", !list.hidden);
  const { left, bottom, width } = field.getBoundingClientRect();
  Object.assign(list.style, { left: `${left}px`, top: `${bottom + 4}px`, minWidth: `${width}px` });
  const beyond = list.getBoundingClientRect().right - (document.documentElement.clientWidth - 12);
  if (beyond > 0) list.style.left = `${left - beyond}px`; // a phone is hardly wider than a name
}

function close() {
  asked++;
  list.hidden = true;
  field?.setAttribute("aria-expanded", false);
}

function choose(item) {
  field.value = item.dataset.name;
  close();
}

const isName = (target) => target.matches?.("[data-herb-name]");
document.addEventListener("input", ({ target }) => { if (isName(target)) suggest(target); });
document.addEventListener("pointerdown", ({ target }) => { if (!list.contains(target)) close(); });
document.addEventListener("focusout", ({ target }) => { if (isName(target)) close(); });
addEventListener("scroll", () => { if (!list.hidden) place(); }, true);
list.addEventListener("pointerdown", (event) => {
  event.preventDefault(); // the field keeps the focus
  const item = event.target.closest("li");
  if (item) choose(item);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") close(); // also what is still on its way
  if (list.hidden || !isName(event.target)) return;
  const items = [...list.children], at = items.findIndex((item) => item.ariaSelected === "true");
  if (event.key === "Enter" && at >= 0) choose(items[at]);
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = (at + (event.key === "ArrowDown" ? 1 : items.length)) % items.length;
    items.forEach((item, index) => { item.ariaSelected = index === next; });
  } else return;
  event.preventDefault();
});
