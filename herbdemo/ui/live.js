// The browser's side of live.py. Gradio gives: element, server.
const find = (selector) => element.querySelector(selector);
const video = find("video"), map = find(".map"), plate = find(".plate"), names = find(".names-live");
const LONGEST = 640, PAUSE = 250; // pixels of a frame; milliseconds from one answer to the next frame
const canvas = document.createElement("canvas");
let running = 0; // number of the current run; 0 while stopped

const say = (view) => { names.innerHTML = find(`template[data-view="${view}"]`).innerHTML; };
// Read out when the name changes, and no oftener than someone can listen.
const LISTEN = 6000; // milliseconds
let told = "", when = 0;
function tell(said) {
  const name = names.querySelector(".han")?.textContent;
  if (!said || name === told || Date.now() - when < LISTEN) return;
  [told, when] = [name, Date.now()];
  document.dispatchEvent(new CustomEvent("herb:say", { detail: said }));
}
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function start() {
  const run = Date.now();
  running = run;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 960 } },
    });
    if (running !== run) return stream.getTracks().forEach((track) => track.stop());
    video.srcObject = stream;
    await video.play();
  } catch {
    stop();
    return say("no-camera");
  }
  plate.classList.remove("idle");
  plate.style.setProperty("--ratio", video.videoWidth / video.videoHeight);
  while (running === run) {
    if (element.offsetParent === null) return stop(); // another tab was opened: let the camera go
    try {
      const seen = await server.look(frame());
      if (running !== run) return;
      names.innerHTML = seen.html;
      tell(seen.said);
      map.hidden = !seen.map;
      if (seen.map) map.setAttribute("cells", seen.map);
    } catch {
      if (running !== run) return;
      say("no-answer");
      map.hidden = true;
      await wait(3000);
    }
    await wait(document.hidden ? 1000 : PAUSE);
  }
}

function frame() {
  const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.85);
}

function stop() {
  running = 0;
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  map.hidden = true;
  plate.classList.add("idle");
  names.innerHTML = "";
}

element.addEventListener("click", (event) => {
  const wanted = event.target.closest("[data-live]")?.dataset.live;
  if (wanted === "start") start();
  if (wanted === "stop") stop();
});
element.addEventListener("input", (event) => {
  plate.style.setProperty("--opacity", event.target.value / 100);
});
