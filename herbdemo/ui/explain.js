// The browser's side of explain.py and explain_view.py. Gradio gives: element.
const root = element.querySelector(".lens");
const find = (selector) => root.querySelector(selector);
const all = (selector) => [...root.querySelectorAll(selector)];
const view = (name) => element.querySelector(`template[data-view="${name}"]`).content.cloneNode(true);
const say = (name, detail) => document.dispatchEvent(new CustomEvent(`herb:${name}`, { detail }));
const most = Number(root.dataset.most);
const SLOW = ["ablation-cam", "score-cam"];

let cards = new Map(), tests = new Map(); // of this photo, by key
let selected = "", job = null, measuring = "", asked = new Set();
const look = { colours: "ember", lines: false, shared: false, opacity: 75 }; // kept for the next photo
let wanted = { method: ["grad-cam"], layer: ["layer4"] };

const desk = () => find(".desk");
const ask = (to, act, fields) => {
  const { photo, example } = desk().dataset;
  say("ask", { to, act, photo, example, ...fields });
};

// While it works, and when it fails

function show(name) {
  root.replaceChildren(view(name));
}
document.addEventListener("herb:pending", ({ detail }) => {
  if (detail.into !== "lens") return;
  if (job) stop();
  show("pending");
});
for (const event of ["herb:failed", "herb:refused"]) {
  document.addEventListener(event, ({ detail }) => { if (detail.into === "lens") show(detail.reason); });
}

document.addEventListener("herb:reply", ({ detail: html }) => {
  const box = document.createElement("template");
  box.innerHTML = html;
  const part = box.content.firstElementChild;
  const { part: kind, key } = part.dataset;
  if (!kind || kind === "desk") begin(part);
  else if (!desk()) return;
  else if (kind === "cards") for (const card of [...part.children]) keep(card);
  else if (kind === "running") running(key, part);
  else if (kind === "stopped") stopped();
  else if (kind === "faith") { tests.set(key, part); measuring = ""; test(); }
});
document.addEventListener("herb:done", ({ detail }) => {
  if (detail === "lens-desk") { asked = new Set(); }
  if (detail === "lens-slow" && job) { job = null; gallery(); }
  if (detail === "lens-test" && measuring) { measuring = ""; find(".found")?.replaceChildren(); }
});

function begin(part) {
  cards = new Map(); tests = new Map(); asked = new Set();
  selected = measuring = "";
  job = null;
  root.replaceChildren(part);
  if (desk()) {
    press("method", wanted.method);
    press("layer", wanted.layer);
    find(".opacity input").value = look.opacity;
    tools();
    gallery();
  }
  say("answered", { into: "lens", photo: desk()?.dataset.photo });
}

// Which maps are wanted

const press = (name, on) => {
  for (const chip of all(`[data-${name}]`)) chip.setAttribute("aria-pressed", on.includes(chip.dataset[name]));
};
const pressed = (name) =>
  all(`.toggles [data-${name}][aria-pressed="true"]`).map((chip) => chip.dataset[name]);

function keys() {
  const herb = find("[name=herb]").value, against = find("[name=against]").value;
  for (const option of all("[name=against] option")) option.disabled = option.value === herb;
  const found = against ? [`contrast|layer4|${herb}|${against}`] : [];
  for (const method of pressed("method")) {
    for (const layer of pressed("layer")) {
      if (method === "finer-cam") found.push([method, layer, herb, against].join("|"));
      else {
        found.push([method, layer, herb, ""].join("|"));
        if (against && method !== "eigen-cam" && !SLOW.includes(method)) found.push([method, layer, against, ""].join("|"));
      }
    }
  }
  return found;
}

function gallery() {
  const list = keys(), shown = list.slice(0, most);
  if (list.length > most) tooMany();
  const missing = [];
  const items = shown.map((key) => {
    if (cards.has(key)) return cards.get(key);
    if (SLOW.includes(key.split("|")[0])) return slowCard(key);
    if (!asked.has(key)) missing.push(key);
    return ghost(key);
  });
  const held = document.activeElement?.closest?.(".map-card")?.dataset.key;
  find(".gallery").replaceChildren(...items);
  const buttons = items.find((item) => held && item.dataset.key === held)?.querySelectorAll("button") ?? [];
  [...buttons].find((button) => button.offsetParent)?.focus({ preventScroll: true }); // of the keyboard
  if (missing.length) {
    for (const key of missing) asked.add(key);
    ask("lens-desk", "maps", { want: missing.join("\n") });
  }
  if (!shown.includes(selected) || !cards.has(selected)) {
    selected = shown.find((key) => cards.has(key) && !key.startsWith("contrast")) ?? shown.find((key) => cards.has(key)) ?? "";
  }
  draw();
}

function tooMany() {
  find(".too-many").replaceChildren(view("most"));
  find(".too-many").hidden = false;
}

function ghost(key) {
  const item = document.createElement("li");
  item.className = "map-card ghost";
  item.dataset.key = key;
  return item;
}

function keep(card) {
  const { key, lines } = card.dataset;
  cards.set(key, card);
  card.querySelector(".lines path").setAttribute("d", lines);
  if (job?.key === key) { job = null; selected = key; }
  gallery();
}

// Slow methods, one at a time

function slowCard(key) {
  const [method, layer] = key.split("|");
  const item = view("slow").firstElementChild;
  item.dataset.key = key;
  const label = (name, value) => find(`.toggles [data-${name}="${value}"]`).innerHTML;
  item.querySelector(".name").innerHTML = `<b>${label("method", method)}</b><small>${label("layer", layer)}</small>`;
  const mine = job?.key === key;
  item.querySelector(".work").hidden = mine;
  item.querySelector(".run").hidden = !mine;
  if (mine && job.shown) item.querySelector(".share").append(job.shown);
  item.querySelector("[data-start]").disabled = Boolean(job);
  return item;
}

function start(key) {
  if (job) return;
  job = { key, id: Math.random().toString(36).slice(2) };
  ask("lens-slow", "work-out", { key, job: job.id });
  gallery();
}
function running(key, part) {
  if (job?.key !== key) return;
  job.shown = part;
  all(".map-card.slow").find((card) => card.dataset.key === key)?.querySelector(".share").replaceChildren(part);
}
function stop() { ask("lens-stop", "stop", { job: job.id }); }
function stopped() { job = null; gallery(); }

// Drawing: the browser gives the maps their colours, so that everything below is immediate

function strongest(card) { // of all maps on the same scale
  const same = keys().map((key) => cards.get(key)).filter((other) => other?.dataset.group === card.dataset.group);
  return Math.max(...same.map((other) => Number(other.dataset.peak)), 1e-12);
}

function paint(map, card) {
  const { peak, low } = card.dataset, signed = "signed" in card.dataset;
  const shared = look.shared && !signed;
  map.setAttribute("table", signed ? "contrast" : look.colours);
  map.setAttribute("share", shared ? Number(peak) / strongest(card) : 1);
  map.setAttribute("floor", shared ? low : 0); // each map by itself starts at zero
}

function draw() {
  if (!desk()) return;
  for (const card of all(".map-card")) {
    const map = card.querySelector("herb-map");
    if (map) paint(map, card);
    card.querySelector("button[aria-pressed]")?.setAttribute("aria-pressed", card.dataset.key === selected);
  }
  const card = cards.get(selected);
  desk().toggleAttribute("data-plain", !card || "empty" in card.dataset);
  desk().toggleAttribute("data-signed", Boolean(card && "signed" in card.dataset));
  if (card) {
    const map = find(".plate herb-map"), small = card.querySelector("herb-map");
    paint(map, card);
    for (const name of ["cells", "aria-label", "data-zh-aria-label", "data-en-aria-label"]) {
      map.setAttribute(name, small.getAttribute(name));
    }
    find(".plate .lines path").setAttribute("d", card.dataset.lines);
    find(".stage > .words").innerHTML = card.querySelector(".words").innerHTML;
    for (const end of ["plus", "minus"]) {
      find(`.legend .${end}`).innerHTML = card.querySelector(`[data-end=${end}]`).innerHTML;
    }
  }
  test();
}

function tools() {
  const { dataset, style } = desk();
  dataset.colours = look.colours;
  dataset.lines = look.lines;
  style.setProperty("--opacity", look.opacity / 100);
  for (const button of all("[data-colours]:not(.desk)")) {
    button.setAttribute("aria-pressed", button.dataset.colours === look.colours);
  }
  for (const button of all("[data-switch]")) button.setAttribute("aria-pressed", look[button.dataset.switch]);
}

// Whether the map that is shown large can be trusted; one is put to the test at a time

let patience = 0;
function test() {
  const box = find(".found");
  if (!box || !selected) return;
  const known = tests.get(selected);
  if (known) { if (box.firstElementChild !== known) box.replaceChildren(known); return; }
  if (!box.querySelector(".meter")) box.replaceChildren(view("measuring"));
  clearTimeout(patience);
  if (measuring) return; // its reply calls again
  patience = setTimeout(() => {
    if (measuring || !selected || tests.has(selected)) return;
    measuring = selected;
    ask("lens-test", "measure", { key: selected });
  }, 400);
}

// Hands

root.addEventListener("input", ({ target }) => {
  if (target.closest(".opacity")) { look.opacity = target.value; tools(); }
});
root.addEventListener("change", ({ target }) => {
  if (!target.matches("select")) return;
  const herb = find("[name=herb]"), against = find("[name=against]");
  if (herb.value === against.value) against.value = "";
  find(".too-many").hidden = true;
  selected = "";
  gallery();
});
root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !desk()) return;
  const { method, layer, colours, switch: flip } = button.dataset;
  if (method || layer) {
    find(".too-many").hidden = true;
    const name = method ? "method" : "layer";
    const on = button.getAttribute("aria-pressed") !== "true";
    if (!on && pressed(name).length === 1) return; // one at least
    button.setAttribute("aria-pressed", on);
    if (on && keys().length > most) {
      button.setAttribute("aria-pressed", false);
      tooMany();
      return;
    }
    wanted = { method: pressed("method"), layer: pressed("layer") };
    gallery();
  } else if (colours) { look.colours = colours; tools(); draw(); }
  else if (flip) { look[flip] = !look[flip]; tools(); draw(); }
  else if ("start" in button.dataset) start(button.closest(".map-card").dataset.key);
  else if ("stop" in button.dataset && job) stop();
  else if (button.closest(".map-card")) {
    selected = button.closest(".map-card").dataset.key;
    draw();
    if (matchMedia("(max-width: 860px)").matches) find(".plate").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
  }
});
