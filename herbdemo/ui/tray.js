// A row of the table lights up its herb in the photo, by the legend of Gradio's AnnotatedImage.
const tray = document.querySelector("#tray");
const legend = () => [...tray.querySelectorAll("#tray-picture .legend button")];
let held = null; // the row that was tapped stays lit until it, or another one, is tapped

function light(row) {
  for (const item of legend()) item.dispatchEvent(new Event("blur"));
  if (row) legend()[row.dataset.region]?.dispatchEvent(new Event("focus"));
}
function hold(row) {
  held = held === row ? null : row;
  for (const other of tray.querySelectorAll("[data-region]")) {
    other.toggleAttribute("data-held", other === held);
    other.querySelector(".number-badge").setAttribute("aria-pressed", other === held);
  }
  light(held);
}
const rowOf = ({ target }) => target.closest("[data-region]");

tray.addEventListener("pointerover", (event) => {
  if (event.pointerType === "mouse" && rowOf(event)) light(rowOf(event));
});
tray.addEventListener("pointerout", (event) => {
  if (event.pointerType === "mouse" && rowOf(event)) light(held?.isConnected ? held : null);
});
tray.addEventListener("click", (event) => {
  const row = rowOf(event);
  if (row && !event.target.closest("button:not(.number-badge)")) hold(row);
});

// Gradio describes its pictures in English only.
const { zhAlt, enAlt } = element.querySelector("[data-zh-alt]").dataset;
document.addEventListener("herb:answered", ({ detail }) => {
  if (detail.into !== "tray-found") return;
  setTimeout(() => {
    for (const image of tray.querySelectorAll("#tray-picture .image-container img")) {
      const mask = image.classList.contains("mask");
      Object.assign(image.dataset, { zhAlt: mask ? "" : zhAlt, enAlt: mask ? "" : enAlt });
      image.alt = mask ? "" : document.documentElement.dataset.lang === "zh" ? zhAlt : enAlt;
    }
  }, 300);
});
