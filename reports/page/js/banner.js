/* The verdict, what it rests on, and what was found. */

const SENTENCES = {
  [INTACT]: "Everything that was checked is unchanged since ingest, and the key that you gave signed its checkpoint.",
  [TAMPERED]: "Something differs from what was sealed, or the archive is damaged or hostile. See the findings.",
  [LOST]: "Something that the bundle lists is not there. See the findings.",
  [UNVERIFIABLE]: "The check could not be completed; do not take the bundle as proven. See the findings.",
  [NOTHING_THERE]: "No record was found.",
};
const SIGNS = { [INTACT]: "proven", [TAMPERED]: "tampered", [LOST]: "missing", [UNVERIFIABLE]: "unsure", [NOTHING_THERE]: "missing" };

function showBanner(state, sign, word, sentence, rows = "") {
  fill(byId("banner-rows"), rows);
  byId("banner").dataset.state = state;
  fill(byId("banner-sign"), icon(sign));
  fill(byId("banner-word"), word);
  fill(byId("banner-sentence"), sentence);
}

function showChecking() {
  showBanner("checking", "working", "Checking…", "Every file, proof and signature is recomputed in this page. Nothing leaves it.");
}

function showVerdict(bundle, verdict, hasKeys) {
  const others = verdict.findings.filter((one) => one.verdict !== UNPINNED && one.verdict !== STALE);
  const onlyKey = !hasKeys && others.length > 0 && others.every((one) => one.object === "data/checkpoint" && one.verdict === UNVERIFIABLE);
  if (onlyKey) {
    const sentence = "The bundle is consistent with its own checkpoint. Whether that checkpoint is the log's, only the key that you hold can tell: paste it below, or drop your pin.";
    showBanner("no key", "unsure", "Unverifiable: no key given", sentence, tally(bundle));
  } else {
    const word = verdict.verdict === UNVERIFIABLE && !bundle.isTrusted ? "unverifiable: untrusted key" : verdict.verdict;
    showBanner(verdict.verdict, SIGNS[verdict.verdict], capital(word), SENTENCES[verdict.verdict], tally(bundle));
  }
  document.title = `${capital(verdict.verdict)}: ${byId("banner").dataset.title}`;
}

const TALLIED = { "no key yet": "lead to this checkpoint", "id proven": "with the id alone proven" };

/** How many rows there are of each verdict. */
function tally(bundle) {
  const found = new Map();
  for (const rows of [bundle.population, bundle.context]) {
    for (const row of rows) {
      const verdict = rowVerdict(row, bundle)[2];
      const words = lookup(TALLIED, verdict, verdict);
      found.set(words, (found.get(words) ?? 0) + 1);
    }
  }
  const total = bundle.population.length + bundle.context.length;
  const parts = [...found].map(([words, number]) => `${number.toLocaleString("en")} ${words}`);
  return total ? `${counted(total, "row")}: ${parts.join(", ")}.` : "";
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function showSummary(bundle, verdict, openRow) {
  const { checkpoint, statement } = bundle;
  fill(byId("log"), checkpoint ? `${checkpoint.origin} · ${counted(checkpoint.size, "entry", "entries")} · root ${hexOf(checkpoint.root).slice(0, 16)}…` : "");
  const { proven } = verdict;
  fill(byId("proven"), proven.length ? proven.map((words) => el("li", {}, words)) : el("li", { class: "empty" }, provenInstead(bundle, verdict)));
  fill(byId("not-proven"), verdict.not_proven.map((words) => el("li", {}, words)));
  fill(byId("findings"), findingsTable(bundle, verdict, openRow));
  fill(byId("facts"), bundleFacts(bundle, verdict, statement).flatMap(([label, value, isCode]) => [el("dt", {}, label), el("dd", { class: isCode ? "mono" : null }, value)]));
  fill(byId("counts"), countsTable(verdict));
}

function provenInstead(bundle, verdict) {
  if (verdict.verdict === UNVERIFIABLE && !bundle.isTrusted) return "Nothing yet: first the key that you hold has to fit the checkpoint.";
  return `Nothing as a whole: the verdict is “${verdict.verdict}”. Rows that are not named in a finding keep their own verdict, see Records.`;
}

function findingsTable(bundle, verdict, openRow) {
  if (!verdict.findings.length) return el("p", { class: "empty" }, "None.");
  const rows = verdict.findings.map((one) => {
    const tone = one.verdict === TAMPERED || one.verdict === LOST ? "bad" : "warn";
    const record = /\(record ([0-9a-f]{12})\)/.exec(one.object)?.[1];
    const row = record && [...bundle.byRecord.values()].find((candidate) => candidate.record.startsWith(record));
    const where = row ? el("button", { type: "button", class: "link mono", onclick: () => openRow(row) }, one.object) : el("span", { class: "mono" }, one.object);
    return el("tr", {}, el("td", {}, badge(tone, tone === "bad" ? "tampered" : "unsure", one.verdict)), el("td", {}, where), el("td", {}, one.reason));
  });
  return el("table", { class: "plain" }, el("thead", {}, el("tr", {}, ["Verdict", "File and row", "Why"].map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows));
}

function bundleFacts(bundle, verdict, statement) {
  if (!statement) return [];
  const facts = [
    ["Log", bundle.checkpoint?.origin ?? "", true],
    ["Checkpoint", bundle.checkpoint ? `${counted(bundle.checkpoint.size, "entry", "entries")}, root ${hexOf(bundle.checkpoint.root)}` : "", true],
    ["Trust", capital(verdict.grade || "untrusted")],
    ["Attested", verdict.attested || "no"],
    ["Store", String(statement.store ?? ""), true],
  ];
  if (statement._ === BUNDLE) facts.push(
    ["Selection", selectionWords(statement.selection ?? {})],
    ["Completeness", statement.completeness === "whole" ? "whole: every record of the selection is here" : "shown: nothing is said of other records"],
    ["Content", lookup({ none: "none: record lines only", disclosed: "disclosed", sealed: "sealed: opens with a grant" }, statement.content, "")],
    ["Sampled", statement.sampled ? "yes: lines are those of the sample" : "no"],
    ["Timestamp", bundle.bag?.has("attestation.tsr") ? "a token is there: check it with openssl ts (README.txt)" : "none"],
  );
  if (bundle.certificate && !bundle.isStopped) facts.push(...certifiedFacts(bundle.certificate));
  return facts;
}

/** What a certificate of erasure states, in short. */
function certifiedFacts({ request, plan, erased, live_at: live, backups }) {
  const counts = ["records", "redacted", "waiting", "refused"].map((name) => `${erased?.[name] ?? "?"} ${name}`).join(", ");
  return [
    ["Certified", "an erasure: keys of people were destroyed"],
    ["Request", String(request), true],
    ["Plan", String(plan), true],
    ["Erased", `${erased?.everywhere ? "everywhere" : "in part"}: ${counts}`],
    ["Unreadable", `live ${String(live ?? "?")}; in backups ${String(backups?.unreadable_at ?? "not yet")}`],
  ];
}

function selectionWords(selection) {
  const words = Object.entries(selection).filter(([name]) => name !== "type").map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(", ") : String(value)}`);
  return shortly(`${selection.type}${words.length ? `: ${words.join("; ")}` : ""}`, 400);
}

function countsTable(verdict) {
  const rows = [...Object.entries(verdict.checked), ...Object.entries(verdict.contents).map(([state, number]) => [`content ${state}`, number])];
  if (!rows.length) return el("p", { class: "empty" }, "Nothing was checked.");
  return el("table", { class: "plain counts" }, el("tbody", {}, rows.map(([what, number]) => el("tr", {}, el("td", { class: "number" }, number.toLocaleString("en")), el("td", {}, `${what}`)))));
}
