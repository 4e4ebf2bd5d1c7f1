// One wire between explain.js and one handler. Gradio gives: element, trigger, props, watch.
const { id } = element.closest("[id^='lens-']") ?? element;
const pass = () => { try { return localStorage.getItem("herb-pass") ?? ""; } catch { return ""; } };
document.addEventListener("herb:ask", ({ detail: { to, ...fields } }) => {
  if (to === id) trigger("act", { ...fields, pass: pass() });
});
watch("value", () => {
  if (props.value) document.dispatchEvent(new CustomEvent("herb:reply", { detail: props.value }));
});
