/* The whole check of a bundle, in the order of verify.py. What does not depend on a key is done once; what a key or pin adds
   is done again whenever the auditor gives another. */

/** A bundle as it was found: the bag, what it states, its rows and lists, and the findings of each part of the check. */
async function readBundle(data, work, isEmbedded) {
  const bundle = {
    isEmbedded, bag: null, statement: null, checkpoint: null, entries: new Map(), population: [], context: [], shown: [],
    byRecord: new Map(), replay: [], states: new Map(), attested: "", certificate: null, isTrusted: false, isStopped: false, grade: "",
    before: new Findings(), trust: new Findings(), proofs: new Findings(), attestation: new Findings(), files: new Findings(),
  };
  const { before, proofs, files } = bundle;
  await before.guard("bundle", async () => {
    bundle.bag = await openBag(data, work);
    if (!bundle.bag.names.length) throw new CheckError(NOTHING_THERE, "bundle", "holds no file");
    const sums = await readManifests(bundle.bag, before, isEmbedded);
    bundle.statement = (await before.guard(STATEMENT, () => readStatement(bundle.bag))) ?? null;
    bundle.checkpoint = (await before.guard(CHECKPOINT, async () => parseCheckpoint(await bundle.bag.read(CHECKPOINT, MAX_SMALL)))) ?? null;
    if (bundle.statement && bundle.checkpoint) await proofs.guard("bundle", () => checkProofs(bundle, proofs, work));
    await checkFiles(bundle.bag, sums, files, work);
  });
  return bundle;
}

async function checkProofs(bundle, findings, work) {
  const { bag, statement, checkpoint } = bundle;
  await findings.guard("bag-info.txt", () => checkBagInfo(bag, checkpoint));
  for (const name of bag.names.filter((name) => name.startsWith("data/") && !hasPlace(name, statement))) {
    findings.add(TAMPERED, name, `has no place in a bundle such as ${STATEMENT} says that it is`);
  }
  const isWhole = statement.completeness === "whole";
  const ledger = await findings.guard(ENTRIES, () => checkEntries(bag, checkpoint, isWhole, findings, work));
  bundle.entries = ledger?.entries ?? new Map();
  if (statement._ === CERTIFICATE) {
    await findings.guard(CERTIFIED, () => checkCertificate(bundle, findings));
  } else if (ledger) await findings.guard(STATEMENT, () => checkRecords(bundle, ledger, findings, work));
  if (statement._ === CERTIFICATE && !bag.has(ATTESTATION)) return;
  const { attestation } = bundle;
  bundle.attested = (await attestation.guard(ATTESTATION, () => checkAttestation(bag, statement, bundle.entries, attestation))) ?? "";
}

async function checkRecords(bundle, ledger, findings, work) {
  const { bag, statement, checkpoint } = bundle;
  const { selection, content, sampled } = statement;
  const population = await findings.guard(POPULATION, () => readRows(bag, POPULATION, work));
  const context = bag.has(CONTEXT) ? await findings.guard(CONTEXT, () => readRows(bag, CONTEXT, work)) : [];
  if (!population || !context) return;
  [bundle.population, bundle.context] = [population, context];
  for (const rows of [context, population]) await work.each(rows, (row) => bundle.byRecord.set(row.record, row));
  const proven = await checkRows(population, context, ledger, findings, work);
  if (statement.completeness === "whole") {
    const listed = new Map();
    for (const rows of [population, context]) await work.each(rows, (row) => listed.set(row.partition, (listed.get(row.partition) ?? 0) + 1));
    await findings.guard(STATEMENT, async () => checkWhole(selection, bundle.entries, listed, proven, findings));
  }
  const sample = sampled ? await findings.guard(SAMPLE, () => checkSample(bag, population, checkpoint, findings, work)) : { rows: population, field: null };
  if (!sample) return;
  bundle.shown = sample.rows;
  await findings.guard(RECORDS, () => checkLines(bag, RECORDS, sample.rows, judgeSelected(selection, sample.field), findings, work));
  if (context.length || bag.has(CONTEXT_LINES)) {
    await findings.guard(CONTEXT_LINES, () => checkLines(bag, CONTEXT_LINES, context, judgeApart(selection), findings, work));
  }
  if (content !== "none") await findings.guard(CONTENT, () => checkDisclosed(bundle, findings, work));
  await findings.guard("data", () => checkLists(bag, bundle, findings));
}

async function checkDisclosed(bundle, findings, work) {
  const { bag, shown, states, statement, byRecord } = bundle;
  const items = await readContents(bag, shown, states, work);
  const claims = new Map();
  if (bag.has(REPLAY)) {
    const events = await findings.guard(REPLAY, () => readReplay(bag, byRecord, statement.content === "sealed", claims, findings, work));
    if (events) bundle.replay = events;
    else claims.clear();
  }
  await checkContents(bag, items, bundle, claims, findings, work);
}

/** What keys and pin add: done again with each that the auditor gives. */
async function applyTrust(bundle, keys, pin) {
  bundle.trust = new Findings();
  Object.assign(bundle, { isStopped: false, isTrusted: false, grade: "" });
  if (!bundle.checkpoint) return;
  const found = await bundle.trust.guard(CHECKPOINT, () => checkTrust(bundle.bag, bundle.checkpoint, keys, pin, bundle.trust));
  bundle.isStopped = found === undefined; // a wrong signature: what stands under it counts for nothing
  bundle.isTrusted = found?.isTrusted ?? false;
  bundle.grade = found?.grade ?? "";
}

/** The result in the form of `verify.py --json`. */
function verdictOf(bundle, strict = false) {
  const isProven = !bundle.isStopped && bundle.statement !== null && bundle.checkpoint !== null;
  const parts = [bundle.before, bundle.trust, ...(isProven ? [bundle.proofs] : [])];
  const rest = [...(isProven ? [bundle.attestation] : []), bundle.files];
  const checked = countedIn([...parts, ...rest]);
  const states = isProven ? bundle.states : new Map();
  if (isProven) parts.push(checkClaims(bundle, checked, states, parts));
  parts.push(...rest);
  const verdict = worst(new Set(parts.flatMap((part) => [...part.verdicts])), strict);
  const { origin = "", size = 0, root = null } = bundle.checkpoint ?? {};
  const words = wordsFor(bundle, verdict, checked, states);
  return {
    schema: SCHEMA,
    verdict,
    exit_code: EXIT_CODES[verdict],
    grade: bundle.grade,
    checkpoint: { origin, size, root: root ? hexOf(root) : "" },
    checked,
    contents: Object.fromEntries([...states].sort()),
    certificate: (isProven && bundle.certificate) || {},
    completeness: isProven ? (bundle.statement.completeness ?? "") : "",
    attested: isProven ? bundle.attested : "",
    findings: parts.flatMap((part) => part.findings).slice(0, MOST_FINDINGS),
    proven: words.proven,
    not_proven: words.notProven,
  };
}

function countedIn(parts) {
  const checked = {};
  for (const part of parts) for (const [what, number] of part.checked) checked[what] = (checked[what] ?? 0) + number;
  return checked;
}

/** What the bundle says of itself, in numbers, is what was found. */
function checkClaims({ statement, checkpoint, entries }, checked, states, parts) {
  const claims = new Findings();
  const isBundle = statement._ === BUNDLE;
  const names = isBundle ? ["complete partitions", "context", "entries", "partitions", "population", "records"] : ["entries"];
  const found = Object.fromEntries(names.map((name) => [name.replaceAll(" ", "_"), checked[name] ?? 0]));
  const counts = isBundle ? { ...found, contents: Object.fromEntries(states) } : found;
  const log = { origin: checkpoint.origin, root: hexOf(checkpoint.root), size: checkpoint.size };
  const isDamaged = [TAMPERED, LOST].includes(worst(new Set(parts.flatMap((part) => [...part.verdicts]))));
  if (!isDamaged && !(sameValue(statement.counts ?? null, counts) && sameValue(statement.checkpoint ?? null, log))) {
    claims.add(TAMPERED, STATEMENT, "states other counts or another checkpoint than the bundle holds");
  }
  const genesis = entries.get(0)?.value ?? {};
  if (statement.origin !== checkpoint.origin || statement.store !== genesis.store || genesis.origin !== checkpoint.origin) {
    claims.add(TAMPERED, STATEMENT, "states another origin or store than the log's first entry");
  }
  if (isBundle && !found.population) claims.add(NOTHING_THERE, "bundle", "holds no record that could be checked");
  return claims;
}
