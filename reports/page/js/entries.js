/* Ledger entries: each leads to the checkpoint's root, by a proof of its own or because all entries are there. */

const ENTRIES = "data/entries.jsonl";
const ENTRY_START = bytesOf('{"_":"evidence/entry/1"');
const MAX_LINE = 2 ** 20;

function startsWith(data, start) {
  return sameBytes(data.subarray(0, start.length), start);
}

function proofName(index) {
  return `data/proofs/${index}.tlog-proof`;
}

/** The entries that the log is proven to hold, by index; `extras` by index are what their proofs say of rows. */
async function checkEntries(bag, checkpoint, isWhole, findings, work) {
  const entries = new Map();
  const extras = new Map();
  const leaves = [];
  let last = -1;
  const lines = await bag.lines(ENTRIES, MAX_LINE);
  for (const [at, line] of lines.entries()) {
    const where = `${ENTRIES}, line ${at + 1}`;
    await work.at("Entries of the log", at / lines.length);
    const item = findings.guardNow(where, () => entryItem(line, last));
    if (!item) continue;
    last = item.index;
    leaves.push(leafHash(item.data));
    const entry = findings.guardNow(where, () => readEntry(item, where));
    if (!isWhole || bag.has(proofName(last))) {
      const extra = await findings.guard(proofName(last), () => checkInclusion(bag, checkpoint, last, leaves.at(-1), where));
      if (extra === undefined) continue;
      extras.set(last, extra);
    }
    if (!entry) continue;
    entries.set(last, entry);
    findings.count("entries");
  }
  for (const name of bag.names.filter((name) => name.startsWith("data/proofs/"))) {
    const index = Number(/\d+/.exec(name)[0]);
    if (!extras.has(index) && !entries.has(index)) findings.add(TAMPERED, name, "is the proof of no entry that is here");
  }
  const isAll = leaves.length === last + 1 && leaves.length === checkpoint.size;
  if (isWhole && !(isAll && sameBytes(await rootOf(leaves, work), checkpoint.root))) {
    throw new CheckError(TAMPERED, ENTRIES, "does not hold every entry of the log: together they make another root");
  }
  return { entries, extras };
}

function entryItem(line, last) {
  const item = canonical(line);
  const index = member(item, "index", "whole");
  if (Object.keys(item).sort().join() !== "entry,index,seq" || index <= last) throw new Malformed("not in the order of the log");
  return { index, seq: item.seq, data: fromBase64(item.entry) };
}

function readEntry(item, where) {
  if (!startsWith(item.data, ENTRY_START)) {
    throw new CheckError(UNVERIFIABLE, where, "the entry is not of a version that this program knows");
  }
  const value = canonical(item.data);
  return { ...item, value, type: member(value, "type", "text") };
}

/** What a proof's `extra` holds, empty where it has none. The proof is of this entry and leads to this checkpoint. */
async function checkInclusion(bag, checkpoint, index, leaf, where) {
  const name = proofName(index);
  const proof = parseTlogProof(await bag.read(name, MAX_LIST));
  if (proof.index !== index || !sameBytes(proof.checkpoint, checkpoint.data)) {
    throw new CheckError(TAMPERED, name, "is no proof of this entry under this checkpoint");
  }
  const root = rootFromInclusion(leaf, index, checkpoint.size, proof.hashes);
  if (!root || !sameBytes(root, checkpoint.root)) {
    throw new CheckError(TAMPERED, where, `is not in the log that the checkpoint signs, by ${name}`);
  }
  return proof.extra ?? new Uint8Array(0);
}

/** The keys that hold a role by the entries that are here, or by those before an index. */
function holdersOf(entries, role, before = Infinity) {
  const keys = new Map();
  for (const { index, type, value } of entries.values()) {
    if (type !== "key" || index >= before) continue;
    const vkey = member(value, "vkey", "text");
    if (value.action === "enrol") keys.set(vkey, member(value, "roles", "list"));
    else keys.delete(vkey);
  }
  return [...keys].filter(([, roles]) => roles.includes(role)).map(([vkey]) => enrolledKey(vkey));
}

function enrolledKey(vkey) {
  try {
    return parseKey(vkey);
  } catch (error) {
    if (error instanceof UsageError) throw new CheckError(TAMPERED, ENTRIES, "an entry names a key that is none");
    throw error;
  }
}
