/* Rows of the selection and of its context, their lines, and the range proofs that lead to the partitions' roots. */

const POPULATION = "data/population.csv";
const RECORDS = "data/records.jsonl";
const CONTEXT = "data/context.csv";
const CONTEXT_LINES = "data/context.jsonl";
const MAX_LINE = 2 ** 16;
const ROW_LINE = /^(0|[1-9][0-9]{0,15}),(0|[1-9][0-9]{0,15}),([0-9a-f]{64}),([^",\r\n]*|"(?:[^"\r\n]|"")*")$/;
const ROWS_HEADER = "partition,row,record,stratum";
const RECORD_START = bytesOf('{"_":"evidence/record/1"');

/** The rows of population.csv or context.csv, ascending. */
async function readRows(bag, name, work) {
  const rows = [];
  if (name === CONTEXT && !bag.has(name)) return rows;
  const lines = await bag.lines(name, MAX_SMALL);
  if (!lines.length || textOf(lines[0]) !== ROWS_HEADER) throw new CheckError(TAMPERED, name, "has another header");
  for (let at = 1; at < lines.length; at += 1) {
    const found = ROW_LINE.exec(textOf(lines[at]));
    const where = `${name}, line ${at + 1}`;
    if (!found) throw new CheckError(TAMPERED, where, "is malformed");
    const row = {
      partition: Number(found[1]), row: Number(found[2]), record: found[3], stratum: unquoted(found[4]), isContext: name === CONTEXT,
      bytes: null, line: null, state: "", content: null, problem: "",
    };
    if (rows.length && !isBefore(rows[rows.length - 1], row)) throw new CheckError(TAMPERED, where, "is out of order, or twice");
    rows.push(row);
    if ((at & 255) === 0) await work.at("Rows", at / lines.length);
  }
  return rows;
}

function unquoted(text) {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}

function isBefore(one, other) {
  return one.partition < other.partition || (one.partition === other.partition && one.row < other.row);
}

/** Give each row its line, and check that the line is the one that the row names.

    Where lines are out of step, one line too few or too many is one finding: the next line that a row names sets them
    right again. */
async function checkLines(bag, name, rows, statement, findings, work) {
  const lines = !rows.length && !bag.has(name) ? [] : await bag.lines(name, MAX_LINE);
  const places = new Map(rows.map((row, at) => [row.record, at]));
  let at = 0;
  const wrong = (row, reason) => {
    row.problem = "tampered";
    findings.add(TAMPERED, rowIn(name, row), reason);
  };
  for (const [number, line] of lines.entries()) {
    if (work.isDue) await work.at("Records", number / lines.length);
    const record = hexOf(leafHash(line));
    if (at < rows.length && rows[at].record === record) {
      takeLine(rows[at], line, name, statement, findings);
      at += 1;
      continue;
    }
    const place = places.get(record);
    if (place === undefined && at < rows.length) {
      rows[at].bytes = line;
      wrong(rows[at], "is not the line of this record");
      at += 1;
    } else if (place === undefined) {
      findings.add(TAMPERED, name, "has more lines than rows");
      break;
    } else if (place < at) wrong(rows[place], "comes twice or out of place");
    else {
      for (; at < place; at += 1) wrong(rows[at], "its line is missing");
      takeLine(rows[at], line, name, statement, findings);
      at += 1;
    }
  }
  for (; at < rows.length; at += 1) wrong(rows[at], "its line is missing");
}

function takeLine(row, line, name, statement, findings) {
  row.bytes = line;
  row.where = rowIn(name, row);
  findings.guardNow(row.where, () => checkLine(row, statement));
  if (row.line && !row.isContext) findings.count("records");
}

function checkLine(row, statement) {
  if (!startsWith(row.bytes, RECORD_START)) {
    throw new CheckError(UNVERIFIABLE, row.where, "is no record of a version that this program knows");
  }
  const line = canonical(row.bytes);
  timeOf(line);
  peopleOf(line);
  row.line = line;
  const selected = isSelected(line, statement.selection);
  if (!row.isContext && !selected) {
    row.problem = "tampered";
    throw new CheckError(TAMPERED, row.where, "does not belong to the selection that the bundle states");
  }
  if (row.isContext && selected && !UNEVALUATED.includes(statement.selection.type)) {
    row.problem = "tampered";
    throw new CheckError(TAMPERED, row.where, "belongs to the selection, and is not in the population");
  }
}

/** Every partition of which rows are shown: their record ids lead to the root that its entry states. */
async function checkPartitions(bag, population, context, ledger, findings, work) {
  const shown = new Map();
  for (const row of [...population, ...context]) {
    if (!shown.has(row.partition)) shown.set(row.partition, []);
    shown.get(row.partition).push(row);
    if (work.isDue) await work.pace();
  }
  const complete = new Set();
  let done = 0;
  for (const [partition, rows] of [...shown].sort(([one], [other]) => one - other)) {
    await work.at("Proofs of rows", done / shown.size);
    done += 1;
    rows.sort((one, other) => one.row - other.row);
    const isProven = await findings.guard(proofName(partition), () => checkPartition(partition, rows, ledger, findings, work, complete));
    if (!isProven) for (const row of rows) row.problem ||= "not proven";
  }
  return complete;
}

async function checkPartition(partition, rows, ledger, findings, work, complete) {
  const name = proofName(partition);
  const entry = ledger.entries.get(partition);
  if (entry?.type !== "partition") throw new CheckError(TAMPERED, name, "no entry of the log proves this partition");
  const extra = ledger.extras.get(partition);
  if (!extra) throw new CheckError(LOST, name, "has no proof of the rows that are shown");
  const proof = canonical(extra);
  const size = member(entry.value, "rows", "whole");
  if (proof._ !== "evidence/subset-proof/1" || proof.entry !== partition || proof.rows !== size) {
    throw new CheckError(TAMPERED, name, "is not the proof of this partition");
  }
  const numbers = rows.map((row) => row.row);
  if (!sameValue(member(proof, "ranges", "list"), rangesOf(numbers)) || numbers.at(-1) >= size) {
    throw new CheckError(TAMPERED, name, "is about other rows than those that are shown");
  }
  const hashes = rows.map((row) => fromHex(row.record));
  const given = member(proof, "hashes", "list").map((text) => fromHex(text));
  const root = await rootFromSubset(size, numbers, hashes, given, work);
  if (!root || hexOf(root) !== entry.value.root) {
    const where = `${rows.every((row) => row.isContext) ? CONTEXT : POPULATION}, partition ${partition}`;
    throw new CheckError(TAMPERED, where, `the rows of partition ${partition} do not lead to the root that the log's entry states`);
  }
  findings.count("partitions");
  if (numbers.length === size) {
    findings.count("complete partitions");
    complete.add(partition);
  }
  return true;
}

/** Ascending row numbers as `[first, number]` of each unbroken run. */
function rangesOf(numbers) {
  const runs = [];
  for (const number of numbers) {
    const last = runs[runs.length - 1];
    if (last && last[0] + last[1] === number) last[1] += 1;
    else if (last && number < last[0] + last[1]) throw new Malformed("a row twice");
    else runs.push([number, 1]);
  }
  return runs;
}

/** Of each partition that can hold records of the selection all rows are shown. */
function checkCompleteness(selection, ledger, complete) {
  for (const entry of ledger.entries.values()) {
    if (entry.type === "partition" && mayHold(entry.value, selection) && !complete.has(entry.index)) {
      throw new CheckError(TAMPERED, STATEMENT, `says that the selection is complete, and partition ${entry.index} is not`);
    }
  }
}
