/* The files of the bag and the entries of the log that are here. */

const MOST_ENTRIES = 2000;

function showFiles(bundle) {
  const listed = bundle.bag?.names ?? [];
  const bad = new Map([...bundle.before.findings, ...bundle.files.findings].map((one) => [one.object, one]));
  const sum = (name) => {
    if (bad.has(name)) return badge("bad", "tampered", bad.get(name).verdict);
    if (bundle.isEmbedded && !name.startsWith("data/")) return badge("none", "missing", "not listed here", "Its sum stands in tagmanifest-sha256.txt, which this page does not hold.");
    return name === TAG_MANIFEST ? badge("none", "missing", "the list itself") : badge("good", "proven", "as listed");
  };
  const files = listed.map((name) => el("tr", {},
    el("td", {}, sum(name)),
    el("td", { class: "mono" }, name), el("td", { class: "number" }, readSize(bundle.bag.size(name)))));
  const entries = [...bundle.entries.values()].slice(0, MOST_ENTRIES).map((entry) => el("tr", {},
    el("td", { class: "number mono" }, String(entry.index)), el("td", {}, entry.type), el("td", { class: "mono wide" }, shortly(textOf(entry.data), 300))));
  const table = (heads, rows) => el("table", { class: "plain" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: head === "Size" ? "number" : null }, head)))), el("tbody", {}, rows));
  fill(byId("files"),
    el("h2", {}, `${counted(listed.length, "file")}`),
    bundle.isEmbedded ? el("p", { class: "quiet" }, "This page holds the bundle less README.txt, verify.py, the report and tagmanifest-sha256.txt. Drop the zip to check those too.") : "",
    table(["SHA-256", "File", "Size"], files),
    el("h2", {}, `${counted(bundle.entries.size, "ledger entry", "ledger entries")}${bundle.entries.size > MOST_ENTRIES ? `, the first ${MOST_ENTRIES}` : ""}`),
    table(["Index", "Type", "Entry, as it was sealed"], entries));
}
