// A result as one picture to send to someone, drawn here: the browser has fonts for both languages,
// the photo and the map are here already, and nothing goes to the server. share.py gives: element.
const CARD = { width: 1080, margin: 60, paper: "#f7f2e7", card: "#fffdf8", ink: "#232a24", soft: "#5d5b4e",
  line: "#e0d8c5", herb: "#2f6b45", cinnabar: "#ab3a29", amber: "#8a5a0b", tallest: 1000 };

async function drawCard(root, button) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    await document.fonts.ready;
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    canvas.width = CARD.width;
    canvas.height = compose(pen, cardOf(root), false);
    compose(pen, cardOf(root), true);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    await hand(blob, `${root.querySelector(".row[aria-pressed=true]")?.dataset.herb ?? "herb"}-card.png`);
  } finally {
    button.ariaBusy = null;
  }
}

// On a phone the card goes to where people send pictures from; elsewhere it is a download.
async function hand(blob, name) {
  const files = [new File([blob], name, { type: "image/png" })];
  if (matchMedia("(pointer: coarse)").matches && navigator.canShare?.({ files })) {
    try { await navigator.share({ files }); return; } catch (error) { if (error.name === "AbortError") return; }
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// What the card says: all of it stands on the page, in the language that is shown.
function cardOf(root) {
  const lang = document.documentElement.dataset.lang;
  const said = (node) => (node?.querySelector(`:scope > .${lang}, :scope > * > .${lang}`) ?? node)?.textContent.trim() ?? "";
  const every = (selector) => [...root.querySelectorAll(selector)];
  const answer = root.querySelector(".answer"), map = root.querySelector(".plate .map");
  return {
    lang,
    photo: root.querySelector(".plate .photo"),
    map: map.hidden ? null : map,
    opacity: root.querySelector(".opacity input").value / 100,
    caption: map.hidden ? "" : said(root.querySelector(".caption")),
    verdict: answer.dataset.verdict,
    seal: said(root.querySelector(".verdict .seal")),
    headline: said(root.querySelector(".verdict h2")),
    cautions: [
      ...(answer.dataset.verdict === "unknown" ? [[said(element.querySelector(".card-unknown")), CARD.cinnabar]] : []),
      ...every(".caution").map((caution) =>
        [said(caution.querySelector("p")), caution.matches(".grave") ? CARD.cinnabar : CARD.amber]),
    ],
    rows: every(".candidates .row").map((row) => ({
      han: row.querySelector(".han").textContent,
      pinyin: row.querySelector(".pinyin").textContent,
      western: [...row.querySelectorAll(".western > *")].map((name) => name.textContent).join(" · "),
      poison: row.querySelector(".poison") ? said(row.querySelector(".poison")) : "",
      odds: row.querySelector(".odds").textContent,
      share: parseFloat(row.querySelector(".bar i").style.width) / 100,
      pressed: row.getAttribute("aria-pressed") === "true",
    })),
    advice: said(element.querySelector(".card-advice")),
    model: said(root.querySelector(".colophon summary b")),
    sha: root.querySelector(".colophon code").textContent,
    day: root.querySelector(".shared")?.dataset.day ?? new Date().toISOString().slice(0, 10),
  };
}

// Draws from top to bottom, or only measures; gives the height that is needed.
function compose(pen, card, ink) {
  const { width, margin } = CARD, inner = width - 2 * margin;
  const style = getComputedStyle(document.documentElement);
  const serif = style.getPropertyValue("--serif"), han = style.getPropertyValue("--han");
  const font = (size, weight = 400, family = serif) => { pen.font = `${weight} ${size}px ${family}`; };
  const write = (text, x, y, colour, align = "left") => {
    if (!ink) return;
    pen.fillStyle = colour; pen.textAlign = align; pen.textBaseline = "alphabetic";
    pen.fillText(text, x, y);
  };
  const box = (x, y, w, h, r, colour) => {
    if (!ink) return;
    pen.fillStyle = colour; pen.beginPath(); pen.roundRect(x, y, w, h, r); pen.fill();
  };
  const fit = (text, room, size, weight, family) => { // one line: smaller, then cut short
    while (font(size, weight, family), pen.measureText(text).width > room && size > 20) size -= 1;
    let cut = text;
    while (pen.measureText(cut).width > room && cut.length > 2) cut = `${cut.slice(0, -2)}…`;
    return cut;
  };
  const paragraph = (text, x, y, room, size, colour, { weight = 400, family = serif, most = 9 } = {}) => {
    font(size, weight, family);
    for (const line of wrap(pen, text, room, most)) { y += size * 1.42; write(line, x, y - size * 0.38, colour); }
    return y;
  };

  if (ink) { pen.fillStyle = CARD.paper; pen.fillRect(0, 0, width, pen.canvas.height); }
  let y = margin + 34;
  font(40, 700, han);
  const ours = document.querySelector(".name-zh").textContent; // in the characters that are shown
  write(ours, margin, y, CARD.ink);
  const after = margin + pen.measureText(ours).width + 18;
  font(30);
  write("Herb Lens", after, y, CARD.soft);
  write(card.day, width - margin, y, CARD.soft, "right");
  y += 30;

  // The photo under its map
  const ratio = card.photo.naturalWidth / card.photo.naturalHeight;
  const w = Math.min(inner, CARD.tallest * ratio), h = w / ratio, x = (width - w) / 2;
  if (ink) {
    pen.save();
    pen.beginPath(); pen.roundRect(x, y, w, h, 22); pen.clip();
    pen.imageSmoothingQuality = "high";
    pen.drawImage(card.photo, x, y, w, h);
    if (card.map) { pen.globalAlpha = card.opacity; pen.drawImage(card.map.picture(Math.round(w), Math.round(h)), x, y, w, h); }
    pen.restore();
  }
  y += h + 10;
  if (card.caption) y = paragraph(card.caption, margin, y, inner, 26, CARD.soft, { most: 2 });
  y += 26;

  // The verdict
  const colour = { certain: CARD.herb, unsure: CARD.amber, unknown: CARD.cinnabar }[card.verdict];
  font(26, 600);
  const seal = pen.measureText(card.seal).width + 36;
  box(margin, y + 4, seal, 50, 10, colour);
  write(card.seal, margin + seal / 2, y + 39, CARD.card, "center");
  y = paragraph(card.headline, margin + seal + 22, y, inner - seal - 22, 42, CARD.ink, { weight: 600, most: 3 });
  y = Math.max(y, 0) + 18;

  for (const [caution, shade] of card.cautions.slice(0, 3)) {
    const top = y;
    y = paragraph(caution, margin + 26, y + 10, inner - 26, 27, shade, { most: 4 }) + 10;
    box(margin, top + 12, 6, y - top - 18, 3, shade);
  }
  if (card.cautions.length) y += 12;

  // The herbs
  for (const row of card.rows) {
    box(margin, y, inner, 104, 16, CARD.card);
    if (row.pressed) box(margin, y + 16, 7, 72, 3.5, CARD.herb);
    font(34, 600);
    const odds = pen.measureText(row.odds).width, room = inner - odds - 90;
    write(row.odds, width - margin - 26, y + 48, CARD.ink, "right");
    const name = fit(row.han, room * 0.6, 38, 700, han);
    write(name, margin + 28, y + 48, CARD.ink);
    const start = margin + 28 + pen.measureText(name).width + 16;
    const poison = row.poison ? ` ${row.poison}` : "";
    const beside = fit(row.pinyin, margin + 28 + room - start - (poison ? 150 : 0), 28);
    write(beside, start, y + 48, CARD.soft);
    if (poison) {
      const at = start + pen.measureText(beside).width + 10;
      write(fit(poison, margin + 28 + room - at, 26, 600), at, y + 48, CARD.cinnabar);
    }
    write(fit(row.western, inner * 0.66, 25), margin + 28, y + 86, CARD.soft);
    const bar = inner * 0.22, left = width - margin - 26 - bar;
    box(left, y + 74, bar, 10, 5, CARD.line);
    box(left, y + 74, Math.max(4, bar * row.share), 10, 5, card.verdict === "unknown" ? CARD.soft : CARD.herb);
    y += 116;
  }
  y += 14;
  y = paragraph(card.advice, margin, y, inner, 27, CARD.ink, { weight: 600, most: 3 });
  y = paragraph(`${card.model} · sha256 ${card.sha}`, margin, y + 4, inner, 24, CARD.soft, { most: 2 });
  return Math.ceil(y + margin - 10);
}

// Lines of at most `most`: broken at spaces, and anywhere among Chinese characters.
function wrap(pen, text, room, most) {
  const lines = [];
  let line = "";
  for (const word of text.match(/[\u2e80-\u9fff\uff00-\uffef][，。；：、！？”）]*|\s+|[^\s\u2e80-\u9fff\uff00-\uffef]+/g) ?? []) {
    if (line && pen.measureText(line + word.trimEnd()).width > room) { lines.push(line.trim()); line = ""; }
    if (line || word.trim()) line += word;
  }
  if (line.trim()) lines.push(line.trim());
  if (lines.length > most) lines.splice(most - 1, Infinity, `${lines[most - 1]}…`);
  return lines;
}
