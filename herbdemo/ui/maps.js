// <herb-map>: a map that travels as the numbers of its few cells. It is enlarged and coloured here as
// heatmap.py does it; a test holds the two together. Its attributes: `cells` (16-bit numbers, 0 to 1,
// row by row, in base64; as many rows as columns), `table` (of colours), and for a scale that maps
// share `floor` and `share`: where zero lies, and how much of the strongest of them this one reaches.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const tables = Object.fromEntries(
    Object.entries(TABLES).map(([name, text]) => [name, new Uint32Array(bytes(text).buffer)]));
  const SIDE = 224; // pixels of a canvas, which the page stretches over the photo

  const linear = (d) => Math.max(1 - d, 0);
  const cubic = (d) => // Catmull and Rom
    d < 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((2.5 - 0.5 * d) * d - 4) * d + 2 : 0;

  // The four cells that each of `target` pixels lies between, and what each of them counts.
  function taps(source, target, kernel) {
    const cells = new Uint16Array(4 * target), weights = new Float64Array(4 * target);
    for (let pixel = 0; pixel < target; pixel++) {
      const centre = (pixel + 0.5) * (source / target) - 0.5, first = Math.floor(centre) - 1;
      for (let n = 0; n < 4; n++) {
        cells[4 * pixel + n] = Math.min(Math.max(first + n, 0), source - 1);
        weights[4 * pixel + n] = kernel(Math.abs(centre - first - n));
      }
    }
    return { cells, weights };
  }

  function enlarged(values, width, height, kernel) {
    const side = Math.sqrt(values.length), wide = new Float64Array(side * width), all = new Float64Array(height * width);
    const x = taps(side, width, kernel), y = taps(side, height, kernel);
    for (let row = 0, at = 0; row < side; row++) {
      for (let n = 0; n < 4 * width; n += 4, at++) {
        for (let k = n; k < n + 4; k++) wide[at] += x.weights[k] * values[row * side + x.cells[k]];
      }
    }
    for (let row = 0, n = 0; row < height; row++, n += 4) {
      for (let k = n; k < n + 4; k++) {
        const weight = y.weights[k], from = y.cells[k] * width, to = row * width;
        for (let column = 0; column < width; column++) all[to + column] += weight * wide[from + column];
      }
    }
    return all;
  }

  function painted(width, height, values, colour) {
    const canvas = document.createElement("canvas"), picture = new ImageData(width, height);
    canvas.width = width;
    canvas.height = height;
    const pixels = new Uint32Array(picture.data.buffer), index = new Uint8ClampedArray(1);
    for (let n = 0; n < pixels.length; n++) {
      index[0] = Math.floor(values[n] * 255 + 0.5);
      pixels[n] = colour(index[0]);
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }

  customElements.define("herb-map", class extends HTMLElement {
    static observedAttributes = ["cells", "table", "floor", "share"];
    #due = false;

    constructor() {
      super();
      this.attachShadow({ mode: "open" }).innerHTML =
        "<style>:host { display: block; } :host([hidden]) { display: none; } canvas { display: block; width: 100%; height: 100%; }</style>";
    }
    attributeChangedCallback() { // several change at a time: one drawing for all of them
      if (this.#due) return;
      this.#due = true;
      queueMicrotask(() => {
        this.#due = false;
        this.shadowRoot.querySelector("canvas")?.remove();
        if (this.getAttribute("cells")) this.shadowRoot.append(this.picture(SIDE, SIDE));
      });
    }
    get #values() {
      return Float64Array.from(new Uint16Array(bytes(this.getAttribute("cells")).buffer), (word) => word / 65535);
    }
    // The map in its colours, of any size.
    picture(width, height) {
      const floor = Number(this.getAttribute("floor") ?? 0), share = Number(this.getAttribute("share") ?? 1);
      const colours = tables[this.getAttribute("table")];
      const values = enlarged(this.#values, width, height, cubic).map((v) => (floor + v * (1 - floor)) * share);
      return painted(width, height, values, (index) => colours[index]);
    }
    // The map itself in grey, bilinear as programs enlarge it to compare it with other maps.
    raw(width, height) {
      return painted(width, height, enlarged(this.#values, width, height, linear), (v) => 0xff000000 | (v * 0x010101));
    }
  });
})();
