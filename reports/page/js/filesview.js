/* The files of the bag and the entries of the log that are here. */

function showFiles(bundle) {
  const listed = bundle.bag?.names ?? [];
  const bad = new Map(bundle.before.findings.map((one) => [one.object, one]));
  const files = listed.map((name) => el("tr", {},
    el("td", {}, bad.has(name) ? badge("bad", "tampered", bad.get(name).verdict) : badge("good", "proven", "as listed")),
    el("td", { class: "mono" }, name), el("td", { class: "number" }, readSize(bundle.bag.size(name)))));
  const entries = [...bundle.entries.values()].slice(0, 2000).map((entry) => el("tr", {},
    el("td", { class: "number mono" }, String(entry.index)), el("td", {}, entry.type), el("td", { class: "mono wide" }, shortly(textOf(entry.data), 300))));
  const table = (heads, rows) => el("table", { class: "plain" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows));
  fill(byId("files"),
    el("h2", {}, `${counted(listed.length, "file")}`),
    bundle.isEmbedded ? el("p", { class: "quiet" }, "This page holds the bundle less README.txt, verify.py, the report and tagmanifest-sha256.txt. Drop the zip to check those too.") : "",
    table(["SHA-256", "File", "Size"], files),
    el("h2", {}, `${counted(bundle.entries.size, "ledger entry", "ledger entries")}`),
    table(["Index", "Type", "Entry, as it was sealed"], entries));
}
