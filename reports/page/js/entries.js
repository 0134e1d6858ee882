/* Ledger entries: each leads to the checkpoint's root, by a proof of its own or because all entries are there. */

const ENTRIES = "data/entries.jsonl";
const ENTRY_START = bytesOf('{"_":"evidence/entry/1"');
const ENTRY_LINE = 2 ** 20;

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
  let before = -1;
  const lines = await bag.lines(ENTRIES, ENTRY_LINE);
  for (const [at, line] of lines.entries()) {
    const where = `${ENTRIES}, line ${at + 1}`;
    await work.at("Entries of the log", at / lines.length);
    const found = await findings.guard(where, async () => {
      const item = canonical(line);
      const index = member(item, "index", "whole");
      const data = fromBase64(member(item, "entry", "text"));
      if (index <= before) throw new CheckError(TAMPERED, where, "states an entry twice, or out of order");
      before = index;
      leaves.push({ index, hash: leafHash(data) });
      if (!isWhole || bag.has(proofName(index))) {
        extras.set(index, await checkInclusion(bag, checkpoint, index, leaves.at(-1).hash, where));
      }
      return readEntry(index, data, member(item, "seq", "whole"), where);
    });
    if (found) {
      entries.set(found.index, found);
      findings.count("entries");
    }
  }
  if (isWhole) await findings.guard(ENTRIES, () => checkWhole(leaves, checkpoint, work));
  for (const name of bag.names) {
    const index = /^data\/proofs\/(\d+)\./.exec(name);
    if (index && !entries.has(Number(index[1]))) findings.add(TAMPERED, name, "is the proof of no entry that was checked");
  }
  return { entries, extras };
}

function readEntry(index, data, seq, where) {
  if (!startsWith(data, ENTRY_START)) {
    throw new CheckError(UNVERIFIABLE, where, "the entry is not of a version that this program knows");
  }
  const value = canonical(data);
  return { index, seq, data, value, type: member(value, "type", "text") };
}

async function checkInclusion(bag, checkpoint, index, leaf, where) {
  const name = proofName(index);
  let proof;
  try {
    proof = parseTlogProof(await bag.read(name, MAX_MANIFEST));
  } catch (error) {
    if (error instanceof Malformed) throw new CheckError(TAMPERED, name, "is malformed");
    throw error;
  }
  if (proof.index !== index || !sameBytes(proof.checkpoint, checkpoint.data)) {
    throw new CheckError(TAMPERED, name, "is of another entry, or leads to another checkpoint");
  }
  const root = rootFromInclusion(leaf, index, checkpoint.size, proof.hashes);
  if (!root || !sameBytes(root, checkpoint.root)) {
    throw new CheckError(TAMPERED, where, "the entry is not in the log that the checkpoint signs");
  }
  return proof.extra;
}

/** All entries are there: their root is the checkpoint's. */
async function checkWhole(leaves, checkpoint, work) {
  const isAll = leaves.length === checkpoint.size && leaves.every((leaf, at) => leaf.index === at);
  if (!isAll || !sameBytes(await rootOf(leaves.map((leaf) => leaf.hash), work), checkpoint.root)) {
    throw new CheckError(TAMPERED, ENTRIES, "is said to be the whole log, and does not lead to the checkpoint's root");
  }
}

/** The keys that hold a role by the entries before an index. */
function holdersOf(entries, role, before) {
  const keys = new Map();
  for (const entry of entries.values()) {
    if (entry.index >= before || entry.type !== "key") continue;
    const vkey = member(entry.value, "vkey", "text");
    if (entry.value.action === "enrol") keys.set(vkey, member(entry.value, "roles", "list"));
    else keys.delete(vkey);
  }
  return [...keys].filter(([, roles]) => roles.includes(role)).map(([vkey]) => vkey);
}
