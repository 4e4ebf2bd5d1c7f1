// The browser's side of photo_input.py. Gradio gives: element, trigger, props, upload; camera.js: camera.
const find = (selector) => element.querySelector(selector);
const giver = find(".giver"), input = find("input.file"), dialog = find("dialog.camera");
const { into, takes } = giver.dataset; // what shows the answer; the tab that takes photos of others
const tell = (name, detail) =>
  document.dispatchEvent(new CustomEvent(`herb:${name}`, { detail: { ...detail, into } }));
const LARGEST = 50 * 1024 * 1024, PATIENCE = 120_000; // milliseconds
const pass = () => { try { return localStorage.getItem("herb-pass") ?? ""; } catch { return ""; } };
let busy = false, now = null, waiting = null, watchdog = 0;

// One photo at a time: the newest one given meanwhile waits for its turn, so that an answer can
// never be shown for another photo than its own.
function give(job) {
  giver.dataset.filled = "";
  tell("pending", { preview: job.preview });
  if (busy) { waiting = job; return; }
  busy = true;
  now = job;
  watchdog = setTimeout(() => fail("no-answer"), PATIENCE);
  job.start().catch(() => fail("no-upload"));
}

function done() {
  clearTimeout(watchdog);
  busy = false;
  const next = waiting;
  waiting = null;
  if (next) give(next);
}

function fail(reason) { tell("failed", { reason }); }

function giveFile(file) {
  if (file.size > LARGEST) { giver.dataset.filled = ""; tell("refused", { reason: "too-large" }); return; }
  const preview = URL.createObjectURL(file);
  give({
    preview,
    async start() {
      const { path, url } = await upload(file);
      this.file = { path, url, orig_name: file.name, size: file.size, meta: { _type: "gradio.FileData" } };
      send(this);
    },
  });
}

function send({ file, example, more }) {
  if (file) props.value = file;
  trigger(file ? "photo" : "example", { ...more, name: example, pass: pass() });
}

document.addEventListener("herb:answered", ({ detail }) => {
  if (detail.into !== into) return;
  if (detail.photo) (window.herbPhotos ??= new Map()).set(detail.photo, now);
  done();
});
document.addEventListener("herb:failed", ({ detail }) => { if (detail.into === into) done(); });

// A photo that was answered on another tab, by its sha256
document.addEventListener("herb:goto", ({ detail }) => {
  const known = takes && detail.goto === takes && window.herbPhotos?.get(detail.photo);
  if (known) give({ ...known, more: detail, async start() { send(this); } });
});
giver.dataset.hearing = "";

// Files

input.addEventListener("change", () => {
  if (input.files[0]) giveFile(input.files[0]);
  input.value = ""; // the same file may be chosen twice
});

// Drag and drop, anywhere on the page

const shown = () => element.offsetParent !== null;
const carriesFile = (event) => shown() && [...(event.dataTransfer?.types ?? [])].includes("Files");
let depth = 0;
document.addEventListener("dragenter", (event) => {
  if (carriesFile(event) && ++depth) giver.dataset.hover = "";
});
document.addEventListener("dragleave", (event) => {
  if (carriesFile(event) && --depth <= 0) { depth = 0; delete giver.dataset.hover; }
});
document.addEventListener("dragover", (event) => { if (carriesFile(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  depth = 0;
  delete giver.dataset.hover;
  if (event.dataTransfer.files[0]) giveFile(event.dataTransfer.files[0]);
});

// Clipboard

document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (!file || !shown()) return;
  event.preventDefault();
  giveFile(file);
});

async function paste() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const kind = item.types.find((type) => type.startsWith("image/"));
      if (kind) return giveFile(new File([await item.getType(kind)], "clipboard.png", { type: kind }));
    }
  } catch { /* not allowed, or not over https: the sentence names the keys instead */ }
  tell("refused", { reason: "no-clipboard" });
}

// Camera

const eye = camera(dialog, { file: input, refused: () => tell("refused", { reason: "no-camera" }) });

// Clicks

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) {
    if (event.target.closest(".drop") && !("filled" in giver.dataset)) input.click();
    return;
  }
  const { way, camera: shot, example } = button.dataset;
  if (way === "file") input.click();
  if (way === "camera") eye.open();
  if (way === "paste") paste();
  if (shot === "take") eye.take().then((file) => { if (file) { dialog.close(); giveFile(file); } });
  if (shot === "close") dialog.close();
  if (example) give({ preview: button.querySelector("img").src, example, async start() { send(this); } });
});
