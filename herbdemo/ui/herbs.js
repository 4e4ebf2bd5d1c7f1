// The browser's side of herbs_tab.py. Gradio gives: element, server.
const find = (selector) => element.querySelector(selector);
const field = find("input"), found = find(".found");
const pressed = (selector) => find(`${selector}[aria-pressed="true"]`);
let steps = 1, asked = 0, chosen = false, place = 0; // chosen: where to look was said by hand

async function look() {
  const mine = ++asked;
  const wanted = {
    text: field.value, scope: pressed("[data-scope]").dataset.scope, steps,
    toxic: Boolean(pressed("[data-only=toxic]")), twins: Boolean(pressed("[data-only=twins]")),
  };
  let html;
  try { html = await server.look(wanted); } catch { html = find("template").innerHTML; }
  if (mine === asked) found.innerHTML = html;
}

function scope(wanted) {
  for (const button of element.querySelectorAll("[data-scope]")) {
    button.setAttribute("aria-pressed", button.dataset.scope === wanted);
  }
}

let waiting = 0;
field.addEventListener("input", () => {
  if (!chosen) scope(field.value.trim() ? "all" : "model"); // who types a name wants that herb
  steps = 1;
  clearTimeout(waiting);
  waiting = setTimeout(look, 120);
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter") found.querySelector("[data-herb]")?.click();
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { scope: wanted, only, more } = button.dataset;
  if (wanted) { chosen = true; scope(wanted); }
  if (only) button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  if (wanted || only) steps = 1;
  if (more !== undefined) steps += 1;
  if (wanted || only || more !== undefined) look();
});

// The model may have changed since the tab was last seen.
new IntersectionObserver(([seen]) => { if (seen.isIntersecting) look(); }, { rootMargin: "100000px" })
  .observe(element);

// A page takes the list's place and has an address; going back finds the list where it was left.
const address = (hash) => history.replaceState(history.state, "", hash || location.pathname + location.search);
document.addEventListener("herb:goto", ({ detail }) => {
  if (detail.goto !== "herbs") return;
  if (element.offsetParent) place = scrollY;
  address(`#herb=${encodeURIComponent(detail.herb)}`);
});
document.querySelector("#pages").addEventListener("click", (event) => {
  if (!event.target.closest("#herb-page [data-dismiss]")) return;
  const { herb } = event.target.closest(".dossier").dataset;
  address("");
  setTimeout(() => {
    scrollTo({ top: place });
    found.querySelector(`[data-herb="${herb}"]`)?.focus({ preventScroll: true });
  });
}, true); // before the page is gone, and the button with it
