// The browser's side of specimen.py. Gradio gives: element, trigger, props, upload; sources.js: sources.
const giver = element.querySelector(".giver"), strip = giver.querySelector(".strip");
const input = giver.querySelector("input.file"), dialog = giver.querySelector("dialog");
const { into, most } = giver.dataset;
const LARGEST = 50 * 1024 * 1024; // bytes
const pass = () => { try { return localStorage.getItem("herb-pass") ?? ""; } catch { return ""; } };
const view = (name) => giver.querySelector(`template[data-view="${name}"]`).innerHTML;
const drawn = () => document.querySelector("#specimen [data-id]")?.dataset.id;
let photos = [], sent = [], busy = false, again = false, before;

function say(name) { giver.querySelector(".said").innerHTML = name ? view(name) : ""; }

function draw() {
  giver.toggleAttribute("data-filled", photos.length > 0);
  giver.toggleAttribute("data-full", photos.length >= most);
  strip.innerHTML = photos.map((_, index) => view("thumb").replaceAll("#", index + 1)).join("");
  for (const [index, image] of strip.querySelectorAll("img").entries()) {
    image.onerror = () => image.remove(); // HEIC: the browser cannot show it, the answer will
    image.src = photos[index].preview;
  }
}

function add(files) {
  const fitting = files.filter((file) => file.size <= LARGEST);
  const room = most - photos.length;
  const taken = fitting.slice(0, room);
  photos.push(...taken.map((blob) => ({ blob, preview: URL.createObjectURL(blob) })));
  draw();
  say(fitting.length < files.length ? "too-large" : fitting.length > room ? "too-many" : "");
  if (taken.length) look();
}

// One question at a time; what changed meanwhile is asked when the answer is there.
async function look() {
  if (busy) { again = true; return; }
  busy = true;
  again = false;
  giver.dataset.busy = "";
  before = drawn();
  const asked = [...photos];
  try {
    for (const photo of asked) {
      if (photo.file) continue;
      const { path, url } = await upload(photo.blob);
      const { name, size } = photo.blob;
      photo.file = { path, url, orig_name: name, size, meta: { _type: "gradio.FileData" } };
    }
  } catch {
    photos = photos.filter((photo) => photo.file || !asked.includes(photo));
    draw();
    say("no-upload");
    done();
    return;
  }
  sent = asked;
  props.value = asked.map((photo) => photo.file);
  trigger("act", { act: "look", pass: pass() });
}

function done() {
  busy = false;
  delete giver.dataset.busy;
  if (again) look();
}

function tellOne(name, more) {
  document.dispatchEvent(new CustomEvent(`herb:${name}`, { detail: { ...more, into } }));
}

document.addEventListener("herb:done", ({ detail }) => {
  if (detail === "specimen") { // a photo was to be shown by itself
    const late = () => document.querySelector(`#${into} .pending`) && tellOne("failed", { reason: "no-answer" });
    setTimeout(late, 1000);
  }
  if (!element.closest(`#${detail}`)) return;
  for (const card of document.querySelectorAll("#specimen [data-photo]")) {
    (window.herbPhotos ??= new Map()).set(card.dataset.photo, sent[card.dataset.index]);
  }
  const silent = sent.length && drawn() === before && !document.querySelector("#specimen-notice .notice");
  if (silent) say("no-answer");
  done();
});

// A photo among the others is looked at by itself.
document.addEventListener("click", ({ target }) => {
  const card = target.closest?.("#specimen [data-act=show]");
  if (!card) return;
  for (const other of card.closest(".takes").querySelectorAll("button")) {
    other.setAttribute("aria-pressed", other === card);
  }
  tellOne("pending", { preview: sent[card.dataset.index]?.preview });
  document.querySelector(`#${into}`).scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "nearest" });
});

const ways = sources({ giver, input, dialog, take: add, refused: say });
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) {
    if (event.target.closest(".drop") && !photos.length) input.click();
    return;
  }
  ways(button.dataset);
  if ("remove" in button.dataset) {
    const index = [...strip.children].indexOf(button.closest("li"));
    URL.revokeObjectURL(photos[index].preview);
    photos.splice(index, 1);
    draw();
    say("");
    look();
  }
});
