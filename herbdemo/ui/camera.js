// A webcam in a <dialog> with a <video>. `file` is an <input type="file"> for phones, whose own camera
// app is the better one; `refused` is told when there is no camera to be had.
function camera(dialog, { file, refused }) {
  const video = dialog.querySelector("video");
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
  return {
    async open() {
      if (matchMedia("(pointer: coarse)").matches && !navigator.webdriver) {
        file.setAttribute("capture", "environment");
        file.click();
        file.removeAttribute("capture");
        return;
      }
      try {
        video.srcObject = await navigator.mediaDevices.getUserMedia({
          video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } },
        });
        dialog.showModal();
      } catch {
        refused();
      }
    },
    async take() { // a File, or null while there is no picture yet
      if (!video.videoWidth) return null;
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d").drawImage(video, 0, 0);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
      return new File([blob], "camera.jpg", { type: "image/jpeg" });
    },
  };
}
