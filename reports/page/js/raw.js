/* One record in full: what proves it, its line and its content, exactly as they were sealed. */

const SHOWN_AT_ONCE = 20000;

class Drawer {
  constructor(openSession) {
    this.openSession = openSession;
    this.box = byId("drawer");
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  close() {
    this.box.hidden = true;
    fill(this.box);
    this.before?.focus?.();
  }

  open(row, bundle) {
    this.before = document.activeElement;
    this.box.hidden = false;
    const session = row.line?.session;
    const canReplay = typeof session === "string" && !row.isContext;
    fill(
      this.box,
      el("header", {}, el("h2", {}, "Record ", el("span", { class: "mono" }, row.record.slice(0, 12))), el("button", { type: "button", id: "close-drawer", onclick: () => this.close() }, "Close (Esc)")),
      el("p", { class: "badges" }, badge(...rowVerdict(row, bundle)), badge(...contentState(row)), canReplay ? el("button", { type: "button", onclick: () => this.openSession(session, row.record) }, "Replay its session") : ""),
      el("h3", {}, row.problem ? "What does not hold" : "What proves it"),
      el("ol", { class: "chain" }, chainOf(row, bundle).map(([words, value]) => el("li", {}, words, value ? el("code", {}, value) : ""))),
      el("h3", {}, row.problem === "tampered" ? "The line that stands here: not the one that was sealed, or out of its place" : "Record line, as it was sealed"),
      row.bytes ? bytesView(row.bytes, "line") : el("p", { class: "empty" }, "The bundle has no line of this row."),
      el("h3", {}, "Content, as the source sent it"),
      row.content?.length ? bytesView(row.content, "content") : el("p", { class: "empty" }, `${capital(contentState(row)[2])}: ${contentState(row)[3]}`),
    );
    this.box.querySelector("button").focus();
    this.box.scrollTop = 0;
  }
}

function chainOf(row, bundle) {
  const entry = bundle.entries.get(row.partition);
  const actual = row.bytes ? hexOf(leafHash(row.bytes)) : row.record;
  if (actual !== row.record) {
    return [
      ["The bundle lists, and the log proves, a record with the id ", row.record],
      ["The line that stands in its place has another: SHA-256(0x00 || line) = ", actual],
    ];
  }
  return [
    ["Record id = SHA-256(0x00 || line) ", row.record],
    ...(row.problem === "not proven" ? [["The ids of this partition do not lead to the root that the log states; see the findings. ", ""]] : []),
    [`is row ${row.row} of ${counted(Number(entry?.value.rows ?? 0), "row")} in partition ${row.partition}, whose root is `, String(entry?.value.root ?? "not known")],
    [`which entry ${row.partition} of the log states, under the checkpoint of ${counted(bundle.checkpoint.size, "entry", "entries")} with root `, hexOf(bundle.checkpoint.root)],
    [bundle.isTrusted ? "signed by the key that you gave: " : "signed by a key that you have not given: ", bundle.checkpoint.signatures.map((one) => `${one.name}+${one.id}`).join(", ")],
    ...(row.commitment ? [["Content: SHA-256(row key || bytes) = ", row.commitment]] : []),
  ];
}

/** Bytes as text or as hex; long ones in part, until somebody asks for all. */
function bytesView(data, name) {
  const box = el("div", { class: "bytes" });
  const draw = (kind, all) => {
    const part = all ? data : data.subarray(0, SHOWN_AT_ONCE);
    const text = kind === "hex" ? hexDump(part) : new TextDecoder().decode(part);
    const chosen = (other) => el("button", { type: "button", "aria-pressed": String(kind === other), onclick: () => draw(other, false) }, other);
    fill(
      box,
      el("p", { class: "bar" }, chosen("text"), chosen("hex"), el("span", { class: "count" }, readSize(data.length))),
      el("pre", { class: "raw", "data-bytes": name, tabindex: "0" }, text),
      part.length < data.length ? el("button", { type: "button", onclick: () => draw(kind, true) }, `Show all ${readSize(data.length)}`) : "",
    );
  };
  draw("text", false);
  return box;
}

function hexDump(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const part = data.subarray(at, at + 16);
    const letters = Array.from(part, (byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${Array.from(part, (byte) => HEX[byte]).join(" ").padEnd(47)}  ${letters}`);
  }
  return lines.join("\n");
}
