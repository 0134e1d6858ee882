/* Disclosed content: SHA-256(row key || bytes) is what the record commits to, or what the log's redaction does; what is
   not disclosed is explained by an entry of the log. */

const CONTENT = "data/content.jsonl";
const DISCLOSED = ["verified", "redacted"];
const EXPLAINED = ["erased", "expired", "restricted"];

function blobName(partition) {
  return `data/content/${partition}.bin`;
}

/** What entries after a partition's say of its content. */
function explainedOf(partition, entries) {
  const said = { owners: new Set(), erased: false, expired: false, redacted: new Map(), restricted: new Set() };
  for (const { index, type, value } of entries.values()) {
    if (index <= partition) continue;
    if (type === "erasure") {
      for (const subject of member(value, "subjects", "list")) said.owners.add(subject);
      said.erased ||= (optional(value, "segments", "list") ?? []).some((item) => item.partition === partition);
    } else if (type === "retention") {
      said.expired ||= member(value, "partitions", "list").some((item) => item.partition === partition);
    } else if (type === "reseal" && value.partition === partition) {
      for (const item of member(value, "redacted", "list")) said.redacted.set(item.row, item.commitment);
    } else if (type === "restriction") {
      const isBegun = value.action === "restrict";
      for (const subject of member(value, "subjects", "list")) {
        if (isBegun) said.restricted.add(subject);
        else said.restricted.delete(subject);
      }
    }
  }
  return said;
}

/** The contents of the records that are shown; how many there are of each state. */
async function checkContents(bag, rows, statement, entries, findings, work) {
  const states = new Map();
  const isSealed = statement.content === "sealed";
  const lines = await bag.lines(CONTENT, MAX_SMALL);
  if (lines.length !== rows.length) {
    throw new CheckError(TAMPERED, CONTENT, "does not list the records of the bundle, one by one");
  }
  const blobs = new Map();
  const said = new Map();
  for (const [at, line] of lines.entries()) {
    const row = rows[at];
    const where = rowIn(CONTENT, row);
    if (work.isDue) await work.at("Contents", at / lines.length);
    const item = findings.guardNow(where, () => contentItem(line, row, where));
    if (!item) continue;
    states.set(item.state, (states.get(item.state) ?? 0) + 1);
    row.state = item.state;
    if (!said.has(row.partition)) said.set(row.partition, explainedOf(row.partition, entries));
    await findings.guard(where, async () => {
      if (!DISCLOSED.includes(item.state)) checkReason(item.state, row, said.get(row.partition), where);
      else {
        const data = await sliceOf(bag, blobs, row.partition, item, where);
        row.commitment = commitmentOf(item.state, row, said.get(row.partition), where);
        if (isSealed) row.sealed = data;
        else checkCommitment(row, fromHex(member(item, "row_key", "text")), data, where, findings);
      }
    });
  }
  checkBlobs(bag, blobs, findings);
  return states;
}

function contentItem(line, row, where) {
  const item = canonical(line);
  if (item.partition !== row.partition || item.row !== row.row || item.record !== row.record) {
    throw new CheckError(TAMPERED, where, "is about another record");
  }
  member(item, "state", "text");
  return item;
}

/** The bytes of one content in its partition's blob, which has no gaps. */
async function sliceOf(bag, blobs, partition, item, where) {
  if (!blobs.has(partition)) blobs.set(partition, { data: await bag.read(blobName(partition)), end: 0 });
  const blob = blobs.get(partition);
  const [offset, size] = [member(item, "offset", "whole"), member(item, "size", "whole")];
  if (offset !== blob.end || size < 0 || offset + size > blob.data.length) {
    throw new CheckError(TAMPERED, where, "is said to stand elsewhere than behind the content before it");
  }
  blob.end = offset + size;
  return blob.data.subarray(offset, blob.end);
}

function commitmentOf(state, row, said, where) {
  const found = state === "redacted" ? said.redacted.get(row.row) : row.line?.content.commitment;
  if (!row.line) throw new CheckError(UNVERIFIABLE, where, "belongs to a record that was not proven");
  return found ?? "";
}

function checkCommitment(row, rowKey, data, where, findings) {
  if (hexOf(sha256(rowKey, data)) !== row.commitment) {
    row.contentProblem = "tampered";
    throw new CheckError(TAMPERED, where, "is not the content that the record, or the log's redaction, commits to");
  }
  row.content = data;
  findings.count("contents");
}

/** Content that is not there must be explained by an entry of the log. */
function checkReason(state, row, said, where) {
  if (!EXPLAINED.includes(state)) {
    row.contentProblem = "not verified";
    const verdict = { tampered: TAMPERED, lost: LOST }[state] ?? UNVERIFIABLE;
    throw new CheckError(verdict, where, `is not disclosed: the store that exported it found it ${shown(state)}`);
  }
  const owner = row.line?.content.owner;
  const isSaid = {
    erased: () => said.owners.has(owner) || said.erased,
    expired: () => said.expired,
    restricted: () => row.line !== null && peopleOf(row.line).some((person) => said.restricted.has(person)),
  };
  if (!isSaid[state]()) {
    row.contentProblem = "not explained";
    const reason = `is said to be ${state}, and no entry of the log in the bundle says so`;
    throw new CheckError(state === "restricted" ? UNVERIFIABLE : LOST, where, reason);
  }
}

function checkBlobs(bag, blobs, findings) {
  for (const name of bag.names) {
    const found = /^data\/content\/(\d+)\.bin$/.exec(name);
    const blob = found && blobs.get(Number(found[1]));
    if (found && (!blob || blob.end !== blob.data.length)) findings.add(TAMPERED, name, "holds bytes of no record that was checked");
  }
}
