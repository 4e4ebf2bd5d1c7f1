// The browser's side of photo_input.py. Gradio gives: element, trigger, props, upload.
const find = (selector) => element.querySelector(selector);
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`herb:${name}`, { detail }));
const giver = find(".giver"), input = find("input.file"), dialog = find("dialog.camera");
const LARGEST = 50 * 1024 * 1024, PATIENCE = 120_000; // milliseconds
let busy = false, waiting = null, watchdog = 0;

// One photo at a time: the newest one given meanwhile waits for its turn, so that an answer can
// never be shown for another photo than its own.
function give(job) {
  giver.dataset.filled = "";
  tell("pending", { preview: job.preview });
  if (busy) { waiting = job; return; }
  busy = true;
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
      props.value = { path, url, orig_name: file.name, size: file.size, meta: { _type: "gradio.FileData" } };
      trigger("photo");
    },
  });
}

document.addEventListener("herb:answered", done);
document.addEventListener("herb:failed", done);

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

const video = dialog.querySelector("video");

async function openCamera() {
  if (matchMedia("(pointer: coarse)").matches && !navigator.webdriver) {
    input.setAttribute("capture", "environment"); // a phone's own camera app is the better one
    input.click();
    input.removeAttribute("capture");
    return;
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } },
    });
    dialog.showModal();
  } catch {
    tell("refused", { reason: "no-camera" });
  }
}

function closeCamera() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

dialog.addEventListener("close", closeCamera);

async function takePhoto() {
  if (!video.videoWidth) return; // no picture yet
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  dialog.close();
  giveFile(new File([blob], "camera.jpg", { type: "image/jpeg" }));
}

// Clicks

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) {
    if (event.target.closest(".drop") && !("filled" in giver.dataset)) input.click();
    return;
  }
  const { way, camera, example } = button.dataset;
  if (way === "file") input.click();
  if (way === "camera") openCamera();
  if (way === "paste") paste();
  if (camera === "take") takePhoto();
  if (camera === "close") dialog.close();
  if (example) {
    const preview = button.querySelector("img").src;
    give({ preview, async start() { trigger("example", { name: example }); } });
  }
});
