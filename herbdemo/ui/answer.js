// The browser's side of result_view.py. Gradio gives: element, watch, trigger.
const find = (selector) => element.querySelector(selector);
const root = find(".result"), { into } = root.dataset;
const LABELS = ["aria-label", "data-zh-aria-label", "data-en-aria-label"];

// While it works, and when it fails

document.addEventListener("herb:pending", ({ detail }) => {
  if (detail.into !== into) return;
  show("pending");
  tell(root.querySelector("h2"));
  const image = root.querySelector("img.photo");
  image.onerror = () => image.remove(); // HEIC: the browser cannot show it, the answer will
  image.src = detail.preview;
});
for (const event of ["herb:failed", "herb:refused"]) {
  document.addEventListener(event, ({ detail }) => { if (detail.into === into) show(detail.reason); });
}

const tell = (node) => document.dispatchEvent(new CustomEvent("herb:say", { detail: node.innerHTML }));
function show(view) {
  root.innerHTML = "";
  root.append(find(`template[data-view="${view}"]`).content.cloneNode(true));
  root.dataset.view = view;
}

watch("value", () => {
  const answer = root.querySelector(".answer"), { photo } = answer?.dataset ?? {};
  root.dataset.view = answer ? "answer" : "trouble";
  begin();
  const spoken = root.querySelector(".spoken");
  if (spoken) tell(spoken);
  document.dispatchEvent(new CustomEvent("herb:answered", { detail: { into, photo } }));
});

// Which map is shown

let selected = -1, mode = "evidence";

function begin() {
  const answer = root.querySelector(".answer");
  if (!answer) return;
  const { verdict } = answer.dataset;
  mode = verdict === "unsure" && rows().length > 1 ? "contrast" : "evidence";
  selected = verdict === "unknown" ? -1 : 0; // nothing is put forward when nothing is known
  draw();
  fade();
  thumb(root.querySelector(".plate .photo"));
}

// The photo in small, under all the small maps
async function thumb(photo) {
  await photo.decode();
  if (!photo.isConnected) return; // the next answer came before it
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  [canvas.width, canvas.height] = sides(photo, 176);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  root.querySelector(".findings")?.style.setProperty("--thumb", `url(${canvas.toDataURL("image/jpeg", 0.8)})`);
}

const rows = () => [...root.querySelectorAll(".row[data-index]")];

function draw() {
  const row = rows()[selected], item = row?.closest(".candidate");
  for (const other of rows()) other.setAttribute("aria-pressed", other === row);
  for (const button of root.querySelectorAll(".modes [data-mode]")) {
    button.setAttribute("aria-pressed", button.dataset.mode === mode);
  }
  const map = root.querySelector(".plate .map"), source = row?.querySelector(`[data-map="${mode}"]`);
  const empty = !source || (mode === "evidence" && "empty" in row.dataset);
  map.hidden = empty;
  for (const name of source ? ["cells", "table", ...LABELS] : []) {
    map.setAttribute(name, source.getAttribute(name));
  }
  root.querySelector(".answer").dataset.mode = mode;
  root.querySelector(".stage").toggleAttribute("data-plain", empty);
  const caption = item?.querySelector(`[data-caption="${mode}"]`) ?? find("template[data-view=plain]").content.firstElementChild;
  root.querySelector(".caption").innerHTML = caption.innerHTML;
  for (const end of ["plus", "minus"]) {
    root.querySelector(`.scale .${end}`).innerHTML = item?.querySelector(`[data-end=${end}]`)?.innerHTML ?? "";
  }
}

function fade() {
  const plate = root.querySelector(".plate");
  plate.style.setProperty("--opacity", root.querySelector(".opacity input").value / 100);
  plate.style.setProperty("--cut", `${root.querySelector(".cut").value}%`);
}

root.addEventListener("input", (event) => { if (event.target.matches(".opacity input, .cut")) fade(); });
root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { index, mode: wanted, save } = button.dataset;
  if (index) { selected = Number(index); draw(); }
  if (wanted) { mode = wanted; selected = Math.max(selected, 0); draw(); }
  if (save === "overlay") saveOverlay();
  if (save === "raw") saveRaw();
});
root.addEventListener("keydown", (event) => {
  const at = rows().indexOf(event.target);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (at < 0 || !step || !rows()[at + step]) return;
  event.preventDefault();
  rows()[at + step].focus();
  rows()[at + step].click();
});

// "This answer was wrong, it is …"

root.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, herb = new FormData(form).get("herb").trim();
  if (!herb) return;
  let pass = "";
  try { pass = localStorage.getItem("herb-pass") ?? ""; } catch { /* private mode */ }
  trigger("act", { act: "correct", herb, photo: form.dataset.photo, pass });
});

// Saving

function download(canvas, kind) {
  const herb = rows()[selected]?.dataset.herb ?? "herb";
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${herb}-${kind}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, "image/png");
}

const sides = ({ naturalWidth, naturalHeight }, most = Infinity) => {
  const scale = Math.min(1, most / Math.max(naturalWidth, naturalHeight));
  return [naturalWidth, naturalHeight].map((side) => Math.max(1, Math.round(side * scale)));
};

function saveRaw() {
  const map = rows()[selected]?.querySelector(`[data-map="${mode}"]`);
  if (map) download(map.raw(...sides(root.querySelector(".plate .photo"), 224)), `${mode}-raw`);
}

function saveOverlay() {
  const photo = root.querySelector(".plate .photo"), map = root.querySelector(".plate .map");
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  [canvas.width, canvas.height] = sides(photo);
  pen.drawImage(photo, 0, 0);
  if (!map.hidden) {
    pen.globalAlpha = root.querySelector(".opacity input").value / 100;
    pen.drawImage(map.picture(canvas.width, canvas.height), 0, 0);
  }
  download(canvas, mode);
}
