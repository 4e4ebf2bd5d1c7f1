// The browser's side of share.py. Gradio gives: element, trigger, props, watch; card.js: drawCard.
const dialog = element.querySelector("dialog"), { into } = dialog.dataset;
const field = dialog.querySelector("input"), until = dialog.querySelector("time");
const on = (selector) => dialog.querySelector(selector);
const result = () => document.querySelector(`.result[data-into="${into}"]`);
const act = (name, data) => trigger("act", { act: name, ...data });

// The secrets of the links that this browser made, with which it may delete them
const KEY = "herb-shared";
const mine = () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; } };
function remember(change) {
  const today = new Date().toISOString().slice(0, 10), all = { ...mine(), ...change };
  const kept = Object.entries(all).filter(([, link]) => link && link.ends >= today);
  try { localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(kept))); } catch { /* private mode */ }
}

const address = (name) => `${location.origin}${location.pathname}?result=${name}`;
const named = () => new URLSearchParams(location.search).get("result");
let shown = null; // the link in the dialog: name, ends, secret

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-share], [data-card]");
  const root = button?.closest(".result");
  if (!root) return;
  if ("card" in button.dataset) { drawCard(root, button); return; }
  if (root !== result()) return;
  const { name, ends } = root.querySelector(".shared")?.dataset ?? {};
  if (name) show({ name, ends, secret: mine()[name]?.secret });
  else { dialog.dataset.step = "ask"; dialog.showModal(); }
});

function show(link) {
  shown = link;
  field.value = address(link.name);
  until.textContent = until.dateTime = link.ends;
  on("[data-share-send]").hidden = !navigator.share;
  on("[data-share-delete]").hidden = !link.secret;
  dialog.dataset.step = "link";
  if (!dialog.open) dialog.showModal();
  field.select();
}

dialog.addEventListener("click", async (event) => {
  if (event.target === dialog) { dialog.close(); return; } // beside it
  const button = event.target.closest("button");
  if (!button) return;
  if ("shareMake" in button.dataset && !("busy" in dialog.dataset)) {
    const { photo, model } = result().querySelector(".answer").dataset;
    const herb = result().querySelector('.row[aria-pressed="true"]')?.dataset.herb ?? "";
    dialog.dataset.busy = "";
    act("share", { photo, model, herb });
  }
  if ("shareCopy" in button.dataset) {
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); } // no https
    flash(button);
  }
  if ("shareSend" in button.dataset) {
    try { await navigator.share({ title: document.title, url: field.value }); } catch { /* thought better of it */ }
  }
  if ("shareDelete" in button.dataset) {
    if ("done" in button.dataset) act("forget", { name: shown.name, secret: shown.secret });
    else flash(button, 4000);
  }
});
dialog.addEventListener("close", () => { delete dialog.dataset.busy; });

function flash(button, ms = 1800) {
  button.dataset.done = "";
  setTimeout(() => { delete button.dataset.done; }, ms);
}

watch("value", () => {
  const { gone, ...link } = JSON.parse(props.value || "{}");
  delete dialog.dataset.busy;
  if (link.name) { remember({ [link.name]: link }); if (dialog.open) show(link); }
  if (gone) {
    remember({ [gone]: null });
    dialog.close();
    result().querySelector(".shared")?.remove();
    if (named() === gone) leave();
  }
});
document.addEventListener("herb:done", ({ detail }) => { // refused: the notice says why
  if (element.closest(`#${detail}`) && "busy" in dialog.dataset) dialog.close();
});

// A link that was opened. Its name leaves the address when another photo is given.
const leave = () => history.replaceState(history.state, "", location.pathname + location.hash);
if (named()) act("reopen", { name: named() });
document.addEventListener("herb:pending", ({ detail }) => { if (detail.into === into && named()) leave(); });
document.addEventListener("herb:answered", ({ detail }) => {
  if (detail.into !== into) return;
  if (named()) document.querySelector(`.giver[data-into="${into}"]`).dataset.filled = ""; // make room
  const banner = result().querySelector(".shared");
  const rows = [...result().querySelectorAll(".row")];
  if (banner?.dataset.herb) rows.find((row) => row.dataset.herb === banner.dataset.herb)?.click();
});
