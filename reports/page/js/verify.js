/* The whole check of a bundle, in the order of verify.py: files, checkpoint, entries, rows, contents, lists. What does not
   depend on a key is done once; what a key or pin adds is done again whenever the auditor gives another. */

const MOST_FINDINGS = 1000;
const CONTENT_KINDS = ["none", "disclosed", "sealed"];

/** A bundle as it was found: the bag, what it states, its rows and lists, and the findings of each part of the check. */
async function readBundle(data, work, isEmbedded) {
  const bundle = {
    isEmbedded, bag: null, statement: null, checkpoint: null, entries: new Map(), population: [], context: [], shown: [], byRecord: new Map(),
    replay: [], accesses: [], views: {}, tieOut: [], states: new Map(), before: new Findings(), trust: new Findings(), after: new Findings(),
    isTrusted: false, grade: "", isStopped: false, statedCounts: null,
  };
  await bundle.before.guard("bundle", async () => {
    bundle.bag = await openBag(data, work);
    if (!bundle.bag.names.length) throw new CheckError(NOTHING_THERE, "bundle", "holds no file");
    await bundle.before.guard(PAYLOAD, () => checkFiles(bundle.bag, bundle.before, work, isEmbedded));
    bundle.statement = (await bundle.before.guard(STATEMENT, () => readStatement(bundle.bag))) ?? null;
    bundle.checkpoint =
      (await bundle.before.guard("data/checkpoint", async () => parseCheckpoint(await bundle.bag.read("data/checkpoint", MAX_SMALL)))) ?? null;
    if (!bundle.statement || !bundle.checkpoint) return;
    if (bundle.statement._ === CERTIFICATE) {
      bundle.after.add(UNVERIFIABLE, "data/certificate", "is a certificate of erasure: this page does not verify those, use verify.py");
    } else await bundle.after.guard(STATEMENT, () => checkBody(bundle, bundle.after, work));
  });
  return bundle;
}

async function checkBody(bundle, findings, work) {
  const { bag, statement, checkpoint } = bundle;
  const selection = readSelection(statement);
  const content = member(statement, "content", "text");
  const isWhole = member(statement, "completeness", "text") === "whole";
  if (!CONTENT_KINDS.includes(content) || !["whole", "shown"].includes(statement.completeness)) throw new Malformed("no statement");
  const ledger = await findings.guard(ENTRIES, () => checkEntries(bag, checkpoint, isWhole, findings, work));
  if (!ledger) return;
  bundle.entries = ledger.entries;
  await findings.guard(STATEMENT, async () => checkOrigin(bundle));
  await findings.guard("data/policy", () => checkPolicy(bag));
  for (const [rows, name] of [["population", POPULATION], ["context", CONTEXT]]) {
    bundle[rows] = (await findings.guard(name, () => readRows(bag, name, work))) ?? [];
  }
  bundle.byRecord = new Map([...bundle.population, ...bundle.context].map((row) => [row.record, row]));
  bundle.shown = await shownRows(bundle, findings, work);
  await findings.guard(RECORDS, () => checkLines(bag, RECORDS, bundle.shown, statement, findings, work));
  await findings.guard(CONTEXT_LINES, () => checkLines(bag, CONTEXT_LINES, bundle.context, statement, findings, work));
  const complete = await checkPartitions(bag, bundle.population, bundle.context, ledger, findings, work);
  if (isWhole) await findings.guard(STATEMENT, async () => checkCompleteness(selection, ledger, complete));
  await checkDisclosed(bundle, content, findings, work);
  bundle.accesses = await checkAccesses(bag, bundle.byRecord, findings, work);
  bundle.views = await checkEntryViews(bag, bundle.entries, findings, work);
  const records = bundle.shown.length;
  bundle.tieOut = (await findings.guard(TIE_OUT, () => checkTieOut(bag, bundle.population.length, records))) ?? [];
  await findings.guard(ATTESTATION, () => checkAttestation(bag, statement, bundle.entries, findings));
}

/** The rows whose lines are there: all of the population, or those of the sample. */
async function shownRows(bundle, findings, work) {
  const isSampled = member(bundle.statement, "sampled", "flag");
  for (const name of [SAMPLING, SAMPLE]) {
    if (bundle.bag.has(name) !== isSampled) findings.add(isSampled ? LOST : TAMPERED, name, isSampled ? "is missing from the bundle" : "is in a bundle that is said to be no sample");
  }
  if (!isSampled) return bundle.population;
  return (await findings.guard(SAMPLE, () => checkSample(bundle.bag, bundle.population, bundle.checkpoint, findings, work))) ?? [];
}

async function checkDisclosed(bundle, content, findings, work) {
  const { bag } = bundle;
  if (content === "none") {
    for (const name of bag.names.filter((name) => name === CONTENT || name === REPLAY || name.startsWith("data/content/"))) {
      findings.add(TAMPERED, name, "is in a bundle that is said to be without content");
    }
    return;
  }
  bundle.states =
    (await findings.guard(CONTENT, () => checkContents(bag, bundle.shown, bundle.statement, bundle.entries, findings, work))) ?? new Map();
  bundle.replay = await checkReplay(bag, bundle.byRecord, findings, work);
}

/** The log that the bundle states is the one of its checkpoint and genesis. */
function checkOrigin({ statement, checkpoint, entries }) {
  const genesis = entries.get(0)?.value;
  const log = { origin: checkpoint.origin, root: hexOf(checkpoint.root), size: checkpoint.size };
  const isOfLog = statement.origin === checkpoint.origin && sameValue(member(statement, "checkpoint", "object"), log);
  if (!isOfLog || genesis?.type !== "genesis" || genesis.origin !== statement.origin || genesis.store !== statement.store) {
    throw new CheckError(TAMPERED, STATEMENT, "states another log than the checkpoint or the first entry");
  }
}

async function checkPolicy(bag) {
  const key = textOf(await bag.read("data/log.vkey", MAX_SMALL));
  if (!key.endsWith("\n") || textOf(await bag.read("data/policy", MAX_SMALL)) !== `log ${key}quorum none\n`) {
    throw new CheckError(TAMPERED, "data/policy", "names another key than log.vkey");
  }
}

/** What keys and pin add: done again with each that the auditor gives. */
async function applyTrust(bundle, keys, pin) {
  bundle.trust = new Findings();
  bundle.isStopped = false;
  bundle.isTrusted = false;
  bundle.grade = "";
  if (!bundle.checkpoint || !bundle.statement) return;
  const found = await bundle.trust.guard("data/checkpoint", () => checkTrust(bundle.bag, bundle.checkpoint, keys, pin, bundle.trust));
  bundle.isStopped = found === undefined; // a wrong signature: what stands under it counts for nothing
  bundle.isTrusted = found?.isTrusted ?? false;
  bundle.grade = found?.grade ?? "";
}

/** The result in the form of `verify.py --json`. */
function verdictOf(bundle, strict = false) {
  const parts = [bundle.before, bundle.trust, ...(bundle.isStopped ? [] : [bundle.after])];
  const findings = parts.flatMap((part) => part.findings);
  const checked = {};
  for (const part of parts) for (const [what, number] of part.checked) checked[what] = (checked[what] ?? 0) + number;
  const states = bundle.isStopped ? new Map() : bundle.states;
  if (bundle.statement?._ === BUNDLE && bundle.checkpoint && !bundle.isStopped) findings.push(...claimFindings(bundle, checked, states, findings));
  const verdict = worst(findings, strict);
  const { origin = "", size = 0, root = null } = bundle.checkpoint ?? {};
  return {
    schema: SCHEMA,
    verdict,
    exit_code: EXIT_CODES[verdict],
    grade: bundle.grade,
    checkpoint: { origin, size, root: root ? hexOf(root) : "" },
    checked,
    contents: Object.fromEntries([...states].sort()),
    certificate: {},
    findings: findings.slice(0, MOST_FINDINGS),
    not_proven: notProven(bundle, checked),
  };
}

/** What the bundle says of itself in numbers is what was found. */
function claimFindings(bundle, checked, states, findings) {
  const found = {
    complete_partitions: checked["complete partitions"] ?? 0,
    contents: Object.fromEntries(states),
    context: bundle.context.length,
    entries: checked.entries ?? 0,
    partitions: checked.partitions ?? 0,
    population: bundle.population.length,
    records: checked.records ?? 0,
  };
  const isDamaged = [TAMPERED, LOST].includes(worst(findings));
  const more = [];
  if (!isDamaged && !sameValue(bundle.statement.counts ?? null, found)) {
    more.push({ verdict: TAMPERED, object: STATEMENT, reason: "states other counts than the bundle holds" });
  }
  if (!found.records) more.push({ verdict: NOTHING_THERE, object: "bundle", reason: "holds no record that could be checked" });
  return more;
}
