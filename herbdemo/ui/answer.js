// The browser's side of result_view.py. Gradio gives: element, watch, trigger.
const find = (selector) => element.querySelector(selector);
const root = find(".result"), { into } = root.dataset;
const language = () => document.documentElement.dataset.lang;

// While it works, and when it fails

document.addEventListener("herb:pending", ({ detail }) => {
  if (detail.into !== into) return;
  show("pending");
  const image = root.querySelector("img.photo");
  image.onerror = () => image.remove(); // HEIC: the browser cannot show it, the answer will
  image.src = detail.preview;
});
for (const event of ["herb:failed", "herb:refused"]) {
  document.addEventListener(event, ({ detail }) => { if (detail.into === into) show(detail.reason); });
}

function show(view) {
  root.innerHTML = "";
  root.append(find(`template[data-view="${view}"]`).content.cloneNode(true));
  root.dataset.view = view;
}

watch("value", () => {
  const answer = root.querySelector(".answer"), { photo } = answer?.dataset ?? {};
  root.dataset.view = answer ? "answer" : "trouble";
  begin();
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
}

const rows = () => [...root.querySelectorAll(".row[data-index]")];

function draw() {
  const row = rows()[selected], item = row?.closest(".candidate");
  for (const other of rows()) other.setAttribute("aria-pressed", other === row);
  for (const button of root.querySelectorAll(".modes [data-mode]")) {
    button.setAttribute("aria-pressed", button.dataset.mode === mode);
  }
  const map = root.querySelector(".plate .map"), source = row?.querySelector(`img[data-map="${mode}"]`);
  const empty = !source || (mode === "evidence" && "empty" in row.dataset);
  map.hidden = empty;
  if (source) {
    map.src = source.src;
    map.alt = source.alt;
    for (const name of ["zhAlt", "enAlt"]) map.dataset[name] = source.dataset[name];
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

function download(href, kind) {
  const link = document.createElement("a");
  link.href = href;
  link.download = `${rows()[selected]?.dataset.herb ?? "herb"}-${kind}.png`;
  link.click();
}

function saveRaw() {
  const data = rows()[selected]?.dataset;
  if (data) download(mode === "contrast" ? data.rawContrast : data.raw, `${mode}-raw`);
}

function saveOverlay() {
  const photo = root.querySelector(".plate .photo"), map = root.querySelector(".plate .map");
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  canvas.width = photo.naturalWidth;
  canvas.height = photo.naturalHeight;
  pen.drawImage(photo, 0, 0);
  if (!map.hidden) {
    pen.globalAlpha = root.querySelector(".opacity input").value / 100;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(map, 0, 0, canvas.width, canvas.height);
  }
  canvas.toBlob((blob) => {
    const url = URL.createObjectURL(blob);
    download(url, mode);
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }, "image/png");
}
