/* Disclosed content: SHA-256(row key || bytes) is what the record commits to, or what the log's redaction does; what is
   not disclosed is explained by an entry of the log. */

const CONTENT = "data/content.jsonl";
const DISCLOSED = ["verified", "redacted"];
const EXPLAINED = ["erased", "expired", "restricted"];

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

/** content.jsonl: one line for each record that is shown, in the same order. Throws at the first that is not. */
async function readContents(bag, rows, states, work) {
  const items = [];
  for (const [at, line] of (await bag.lines(CONTENT, MAX_LINE)).entries()) {
    if (work.isDue) await work.at("Contents", 0);
    const [item, row] = [canonical(line), rows[at]];
    if (!row || item.partition !== row.partition || item.row !== row.row || item.record !== row.record) {
      throw new CheckError(TAMPERED, `${CONTENT}, line ${at + 1}`, "is not of the record that is next");
    }
    row.state = member(item, "state", "text");
    states.set(row.state, (states.get(row.state) ?? 0) + 1);
    items.push({ row, item, where: rowIn(CONTENT, row) });
  }
  if (items.length !== rows.length) throw new CheckError(TAMPERED, CONTENT, "has fewer lines than there are records");
  return items;
}

/** Every content, file by file; no file is left over, nor any byte of one. */
async function checkContents(bag, items, bundle, claims, findings, work) {
  const partitions = new Map();
  for (const item of items) {
    if (!partitions.has(item.row.partition)) partitions.set(item.row.partition, []);
    partitions.get(item.row.partition).push(item);
  }
  const claimed = new Set();
  let done = 0;
  for (const [partition, own] of partitions) {
    const said = explainedOf(partition, bundle.entries);
    await work.each(own, ({ row, where }) => findings.guardNow(where, () => checkReason(row, said, where)));
    const there = own.filter(({ row }) => DISCLOSED.includes(row.state));
    if (!there.length) continue;
    const name = `data/content/${partition}.bin`;
    claimed.add(name);
    for (const { row } of there) row.contentProblem = "not verified"; // until it is
    await findings.guard(name, () => checkBlob(bag, name, there, { said, claims, isSealed: bundle.statement.content === "sealed" }, findings, work, done / items.length));
    done += own.length;
  }
  for (const name of bag.names.filter((name) => name.startsWith("data/content/") && !claimed.has(name))) {
    findings.add(TAMPERED, name, "is the content of no record that is listed");
  }
}

/** Content that is not there is not there for a reason that an entry of the log gives. */
function checkReason(row, said, where) {
  if (!row.line || DISCLOSED.includes(row.state)) return;
  if (!EXPLAINED.includes(row.state)) {
    row.contentProblem = "not verified";
    const verdict = lookup({ tampered: TAMPERED, lost: LOST }, row.state, UNVERIFIABLE);
    throw new CheckError(verdict, where, `is not disclosed: the store that exported it found it ${row.state}`);
  }
  const isSaid = {
    erased: () => said.owners.has(row.line.content.owner) || said.erased,
    expired: () => said.expired,
    restricted: () => peopleOf(row.line).some((person) => said.restricted.has(person)),
  };
  if (!isSaid[row.state]()) {
    row.contentProblem = "not explained";
    const reason = `is said to be ${row.state}, and no entry of the log in the bundle says so`;
    throw new CheckError(row.state === "restricted" ? UNVERIFIABLE : LOST, where, reason);
  }
}

async function checkBlob(bag, name, there, context, findings, work, part) {
  let end = 0;
  const data = await bag.read(name);
  for (const { row, item, where } of there) {
    if (work.isDue) await work.at("Contents", part);
    for (const field of ["size", "offset"]) if (!Object.hasOwn(item, field)) throw new Malformed(`no ${field}`);
    const { size } = item;
    if (!IS.whole(size) || size < 0 || item.offset !== end) throw new CheckError(TAMPERED, where, "does not begin where the content before it ends");
    end += size;
    if (end > data.length) throw new CheckError(TAMPERED, where, `ends behind the end of ${name}`);
    findings.guardNow(where, () => checkContent(row, item, where, data.subarray(end - size, end), context, findings));
  }
  if (end !== data.length) throw new CheckError(TAMPERED, name, "holds bytes that belong to no record");
}

function checkContent(row, item, where, data, { said, claims, isSealed }, findings) {
  if (Object.hasOwn(item, "row_key") === isSealed) throw new CheckError(TAMPERED, where, "is disclosed though sealed, or cut short");
  if (!row.line) return; // its line did not fit: that is a finding already
  row.commitment = (row.state === "verified" ? row.line.content.commitment : said.redacted.get(row.row)) ?? "";
  if (isSealed) {
    row.sealed = data;
    row.contentProblem = "";
    findings.count("sealed contents");
  } else checkCommitment(row, fromHex(item.row_key), data, where, claims, findings);
}

/** The content is what its record commits to, and the texts that the replay calls verbatim occur in it. */
function checkCommitment(row, rowKey, data, where, claims, findings) {
  if (hexOf(sha256(rowKey, data)) !== row.commitment) {
    row.contentProblem = "tampered";
    throw new CheckError(TAMPERED, where, "is not the content that the record, or the log's redaction, commits to");
  }
  row.content = data;
  row.contentProblem = "";
  findings.count("contents");
  const wanted = claims.get(row.record) ?? [];
  const searched = wanted.length ? textsOf(data) : [];
  for (const claim of wanted) {
    claim.part.isFound = searched.some((text) => text.includes(claim.part.text));
    if (!claim.part.isFound) {
      findings.add(TAMPERED, claim.where, "calls a text verbatim that does not occur in the record's content");
    }
    findings.count("verbatim texts");
  }
}
