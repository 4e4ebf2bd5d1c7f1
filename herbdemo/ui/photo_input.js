// The browser's side of photo_input.py. Gradio gives: element, trigger, props, upload; sources.js: sources.
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

const ways = sources({
  giver, input, dialog,
  take: ([file]) => giveFile(file),
  refused: (reason) => tell("refused", { reason }),
});

// Clicks

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) {
    if (event.target.closest(".drop") && !("filled" in giver.dataset)) input.click();
    return;
  }
  ways(button.dataset);
  const { example } = button.dataset;
  if (example) give({ preview: button.querySelector("img").src, example, async start() { send(this); } });
});
