// Where photos come from: files, drag and drop, the clipboard, the camera. camera.js gives: camera.
// `take` gets a list of files, never an empty one; `refused` a reason: "no-clipboard", "no-camera".
// Gives a function for what a button carries: data-way or data-camera.
function sources({ giver, input, dialog, take, refused }) {
  const shown = () => giver.offsetParent !== null;
  const some = (files) => { if (files.length) take(files); };

  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // the same file may be chosen twice
    some(files);
  });

  // Drag and drop, anywhere on the page
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
    some([...event.dataTransfer.files]);
  });

  // Clipboard
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || !shown()) return;
    event.preventDefault();
    take(files);
  });
  async function paste() {
    try {
      for (const item of await navigator.clipboard.read()) {
        const kind = item.types.find((type) => type.startsWith("image/"));
        if (kind) return take([new File([await item.getType(kind)], "clipboard.png", { type: kind })]);
      }
    } catch { /* not allowed, or not over https: the sentence names the keys instead */ }
    refused("no-clipboard");
  }

  const eye = camera(dialog, { file: input, refused: () => refused("no-camera") });
  return ({ way, camera: shot }) => {
    if (way === "file") input.click();
    if (way === "camera") eye.open();
    if (way === "paste") paste();
    if (shot === "take") eye.take().then((file) => { if (file) { dialog.close(); take([file]); } });
    if (shot === "close") dialog.close();
  };
}
