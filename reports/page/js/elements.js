/* Building what is seen. Text of records becomes text nodes, through shown(): never markup. */

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  proven: "M3 8.5 6.5 12 13 4.5",
  tampered: "M4 4l8 8M12 4l-8 8",
  unsure: "M8 3.5v5.5M8 12v.6",
  missing: "M3 8h10",
  working: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
  sealed: "M4.5 7.5h7v5.5h-7zM6 7.5V5.5a2 2 0 0 1 4 0v2",
  person: "M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 14c.5-3 2.500-4.500 5-4.500s4.500 1.500 5 4.500",
  model: "M8 2l1.500 4.500L14 8l-4.500 1.500L8 14l-1.500-4.500L2 8l4.500-1.500z",
  tool: "M10 3a3 3 0 0 0-3 4L2.500 11.500l2 2L9 9a3 3 0 0 0 4-3l-2 1.500-2-2z",
  decision: "M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4z",
  change: "M3 5h8l-2-2M13 11H5l2 2",
  other: "M4 4h8M4 8h8M4 12h5",
  play: "M5 3l8 5-8 5z",
  pause: "M5 3v10M11 3v10",
  idle: "M8 2.500a5.500 5.500 0 1 0 .001 0M8 5v3l2 1.500",
};

/** An element: `el("p", { class: "x", onclick: f }, "text", child)`. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  return fill(element, ...children);
}

function fill(element, ...children) {
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== "").map((child) =>
      child instanceof Node ? child : document.createTextNode(shown(String(child))),
    ),
  );
  return element;
}

function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", lookup(ICONS, name, ICONS.other));
  drawing.append(path);
  return drawing;
}

/** Colour, icon and text together: none of them alone. */
function badge(tone, drawing, words, title) {
  return el("span", { class: `badge ${tone}`, title }, icon(drawing), words);
}

function byId(id) {
  return document.getElementById(id);
}

/** A list of rows of one height, of which only those in view are drawn. */
class RowList {
  constructor(height, draw, attributes = {}) {
    this.height = height;
    this.draw = draw;
    this.items = [];
    this.space = el("div", { class: "space" });
    this.box = el("div", { class: "rows", tabindex: "0", ...attributes }, this.space);
    this.box.addEventListener("scroll", () => this.refresh(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(this.box);
  }

  show(items) {
    this.items = items;
    this.space.style.height = `${items.length * this.height}px`;
    this.drawn = null;
    this.refresh();
  }

  refresh() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - 10);
    const end = Math.min(this.items.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + 10);
    if (this.drawn === `${first}-${end}`) return;
    this.drawn = `${first}-${end}`;
    this.space.replaceChildren(
      ...this.items.slice(first, end).map((item, at) => {
        const row = this.draw(item, first + at);
        row.style.transform = `translateY(${(first + at) * this.height}px)`;
        return row;
      }),
    );
  }

  /** Draw again what is in view, since something about it has changed. */
  redraw() {
    this.drawn = null;
    this.refresh();
  }

  reveal(at) {
    const top = at * this.height;
    if (top < this.box.scrollTop || top + this.height > this.box.scrollTop + this.box.clientHeight) {
      this.box.scrollTop = Math.max(0, top - this.box.clientHeight / 3);
    }
    this.redraw();
  }
}
