// The browser's side of giver.py. Gradio gives: element, trigger, props, upload; camera.js: camera.
const givers = element.querySelector(".givers"), dialog = givers.querySelector("dialog");
const inputOf = (way) => givers.querySelector(`[data-give="${way}"] input[type="file"]`);
const status = givers.querySelector(".status"), meter = status.querySelector(".meter");
const name = givers.querySelector("[data-herb-name]"), hint = givers.querySelector(".hint");
const PART = 32 * 1024 * 1024; // bytes of a zip in one upload
const pass = () => { try { return localStorage.getItem("herb-pass") ?? ""; } catch { return ""; } };
const shown = () => element.offsetParent !== null;
let busy = false;

function say(what, share) {
  status.hidden = !what;
  for (const line of status.querySelectorAll("[data-say]")) line.hidden = line.dataset.say !== what;
  meter.hidden = share === undefined;
  if (share === undefined) return;
  meter.firstElementChild.style.width = `${100 * share}%`;
  status.querySelector("[data-say=upload] b").textContent = `${Math.round(100 * share)}%`;
}

// Upload one after another, then tell the server what it got.
async function give(act, pieces, fields) {
  if (busy || !pieces.length) return;
  busy = true;
  givers.dataset.busy = "";
  try {
    const given = [];
    for (const [index, file] of pieces.entries()) {
      say("upload", index / pieces.length);
      const { path, url } = await upload(file);
      given.push({ path, url, orig_name: file.name, size: file.size, meta: { _type: "gradio.FileData" } });
    }
    say("work");
    props.value = given;
    trigger("act", { act, ...fields, pass: pass() });
  } catch {
    done();
    say("failed");
  }
}

function done() {
  busy = false;
  delete givers.dataset.busy;
  say("");
}
document.addEventListener("herb:done", ({ detail }) => { if (element.closest(`#${detail}`)) done(); });

function givePhotos(files) {
  const herb = name?.value.trim(), most = Number(givers.dataset.most);
  if (hint) hint.hidden = Boolean(herb);
  if (herb === "") { name.focus(); return; }
  give("photos", files.slice(0, most), { herb: herb ?? "", cut: files.length > most ? "yes" : "" });
}

function giveZip(file) {
  const parts = [];
  for (let at = 0; at < file.size; at += PART) {
    parts.push(new File([file.slice(at, at + PART)], `part-${parts.length}.zip`));
  }
  give("zip", parts, { name: file.name });
}

const isZip = (file) => /\.zip$/i.test(file.name);
function giveAny(files) {
  const zip = files.find(isZip);
  if (zip) giveZip(zip);
  else if (inputOf("photos") && files.length) givePhotos(files);
  else say("kind");
}

for (const input of givers.querySelectorAll('input[type="file"]')) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // the same file may be chosen twice
    if (files.length) giveAny(files);
  });
}
name?.addEventListener("input", () => { hint.hidden = true; });

// Drag and drop, anywhere on the page while this tab is open

const carriesFile = (event) => shown() && [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  givers.dataset.hover = "";
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) delete givers.dataset.hover; });
document.addEventListener("drop", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  delete givers.dataset.hover;
  giveAny([...event.dataTransfer.files]);
});

// Camera: one shot after another

let shots = [];
const eye = dialog && camera(dialog, { file: inputOf("photos"), refused: () => say("no-camera") });

function drawShots() {
  const strip = dialog.querySelector(".shots");
  for (const image of strip.children) URL.revokeObjectURL(image.src);
  strip.replaceChildren(...shots.slice(-8).map((file) => {
    const image = new Image();
    image.src = URL.createObjectURL(file);
    return image;
  }));
  dialog.querySelector("[data-camera=done] b").textContent = shots.length || "";
  dialog.querySelector("[data-camera=done]").disabled = !shots.length;
}

async function shoot() {
  const file = await eye.take();
  if (!file) return;
  shots.push(file);
  drawShots();
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || busy) return;
  const { way, camera: shot } = button.dataset;
  if (way === "zip") inputOf("zip").click();
  if (way === "photos" || way === "camera") {
    if (hint) hint.hidden = Boolean(name.value.trim());
    if (hint && !hint.hidden) { name.focus(); return; }
    if (way === "photos") inputOf("photos").click();
    else { shots = []; drawShots(); eye.open(); }
  }
  if (shot === "take") shoot();
  if (shot === "close") dialog.close();
  if (shot === "done") { dialog.close(); givePhotos(shots); }
});
