// The browser's side of pieces.py. Gradio gives: element, trigger, props, server, watch.
const piece = element.querySelector(".piece");
const pass = () => { try { return localStorage.getItem("herb-pass") ?? ""; } catch { return ""; } };
const { shows, hears, keeps } = piece.dataset;
const kept = (window.herbKept ??= {}); // of this tab; another tab may have something else meanwhile
function recall() {
  try { return (kept[keeps] ??= localStorage.getItem(`herb-${keeps}`) ?? ""); } catch { return ""; }
}
function keep(value) {
  kept[keeps] = value;
  try { localStorage.setItem(`herb-${keeps}`, value); } catch { /* private mode */ }
}
const sender = () => ({ ...(keeps && { [keeps]: recall() }), pass: pass() });
const visible = () => element.offsetParent !== null && !document.hidden;

// Who works with the keyboard stays on the button that was pressed, or goes on to what it opened.
function put(html) {
  const held = piece.contains(document.activeElement) && said(document.activeElement);
  piece.innerHTML = html;
  tell();
  if (!held) return;
  const twin = [...piece.querySelectorAll("[data-act]")].find((other) => said(other) === held);
  (twin ?? piece.querySelector("[data-look] button"))?.focus({ preventScroll: true });
}
let told = ""; // what was read out last, so that a card that is drawn again and again is not
function tell() {
  const { tell: now } = piece.querySelector("[data-tell]")?.dataset ?? {};
  if (now && now !== told && visible()) {
    document.dispatchEvent(new CustomEvent("herb:say", { detail: piece.querySelector("[data-tell]").innerHTML }));
  }
  told = now ?? told;
}
const said = (button) => JSON.stringify({ ...button.dataset });

let awaited = false; // someone was sent here
function draw() {
  const seen = piece.querySelector("[data-look]");
  put(props.value ?? "");
  if (awaited) piece.querySelector("[tabindex]")?.focus({ preventScroll: true }); // read on from here
  awaited = false;
  const login = piece.querySelector("[data-pass]"); // the owner came in, or went
  if (login) {
    try { localStorage.setItem("herb-pass", login.dataset.pass); } catch { /* private mode */ }
    document.dispatchEvent(new Event("herb:entered"));
  }
  const keeping = piece.querySelector("[data-keep]");
  if (keeping) keep(keeping.dataset.keep);
  const looked = piece.querySelector("[data-look]"); // what was asked for may be out of sight
  if (looked && !seen && visible()) looked.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "nearest" });
  const saving = piece.querySelector("[data-click]");
  if (saving) setTimeout(() => document.querySelector(saving.dataset.click)?.click(), 300);
}
watch("value", draw);
if (props.value) draw();

function act(data, button) {
  if (button?.ariaBusy === "true") return;
  if (button) button.ariaBusy = "true";
  trigger("act", { ...data, ...sender() });
}
document.addEventListener("herb:done", ({ detail }) => {
  if (!element.closest(`#${detail}`)) return;
  for (const button of piece.querySelectorAll("[aria-busy]")) button.ariaBusy = null;
});

// Buttons and forms. What cannot be undone asks once more, on the button itself.
piece.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("dismiss" in button.dataset) { piece.innerHTML = ""; return; }
  const { act: name, sure, ...fields } = button.dataset;
  if (!name) return;
  if (sure && !("asked" in button.dataset)) {
    const label = button.innerHTML;
    button.dataset.asked = "";
    button.innerHTML = `<span>${sure}</span>`;
    setTimeout(() => { delete button.dataset.asked; button.innerHTML = label; }, 4000);
    return;
  }
  act({ act: name, ...fields }, button);
});
piece.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  act({ act: form.dataset.act, ...Object.fromEntries(new FormData(form)) }, event.submitter);
});

// What comes into sight is drawn anew, since others may have changed what it shows. The wide margin
// leaves scrolling out: only a tab that is opened counts.
if (shows) {
  const show = () => trigger("act", { act: shows, ...sender() });
  new IntersectionObserver(([seen]) => { if (seen.isIntersecting) show(); }, { rootMargin: "100000px" })
    .observe(element);
  document.addEventListener("herb:entered", () => { if (visible()) show(); });
}

// People are sent here from elsewhere on the page, see page.js.
if (hears) {
  document.addEventListener("herb:goto", ({ detail }) => {
    if (detail.goto !== hears) return;
    awaited = true;
    trigger("act", { ...detail, act: "goto", ...sender() });
  });
  piece.dataset.hearing = "";
}

// A running job is asked after, and only while someone looks.
if (server.poll) {
  let asking = false, drawn = "", state = "";
  setInterval(async () => {
    if (asking || !visible()) return;
    asking = true;
    try {
      const html = await server.poll(sender());
      const pressed = piece.querySelector("[data-asked], [aria-busy]"); // not under the finger
      if (typeof html === "string" && html !== drawn && !pressed) put((drawn = html));
      const { state: now = "" } = piece.querySelector("[data-state]")?.dataset ?? {};
      if (now !== state) {
        trigger("act", { act: "changed", state: now, was: state, ...sender() });
        state = now;
      }
    } catch { /* the server is away for a moment; the next question will tell */ }
    asking = false;
  }, 1200);
}
