/* The records that are listed: their ids lead to the root that their partition's entry states. */

const POPULATION = "data/population.csv";
const CONTEXT = "data/context.csv";
const ROW_LINE = /^(0|[1-9][0-9]{0,15}),(0|[1-9][0-9]{0,15}),([0-9a-f]{64}),([^",\r\n]*|"(?:[^"\r\n]|"")*")$/;
const LATIN1 = new TextDecoder("latin1");
const ROWS_HEADING = "partition,row,record,stratum";

/** The rows of a list, ascending by partition and row. */
async function readRows(bag, name, work) {
  const lines = await bag.lines(name, MAX_LINE);
  if (!lines.length || textOf(lines[0]) !== ROWS_HEADING) throw new CheckError(TAMPERED, `${name}, line 1`, "is not the heading");
  const rows = [];
  for (let at = 1; at < lines.length; at += 1) {
    const where = `${name}, line ${at + 1}`;
    const found = ROW_LINE.exec(LATIN1.decode(lines[at]));
    if (!found) throw new CheckError(TAMPERED, where, "is malformed");
    const row = {
      partition: Number(found[1]), row: Number(found[2]), record: found[3], stratum: found[4] ? csvText(textOf(lines[at]).split(",").slice(3).join(",")) : "", isContext: name === CONTEXT,
      bytes: null, line: null, state: "", content: null, problem: "", contentProblem: "",
    };
    const before = rows[rows.length - 1];
    if (before && (before.partition > row.partition || (before.partition === row.partition && before.row >= row.row))) {
      throw new CheckError(TAMPERED, where, "is there twice, or out of order");
    }
    rows.push(row);
    if ((at & 255) === 0) await work.at("Rows", at / lines.length);
  }
  return rows;
}

/** A field of a list. Quotes stand only around what needs them. */
function csvText(text) {
  if (!text.startsWith('"')) return text;
  const inner = text.slice(1, -1).replaceAll('""', '"');
  if (!/[",]/.test(inner)) throw new Malformed("needless quotes");
  return inner;
}

/** The partitions whose listed rows lead to the root of their entry: all their rows, by index. */
async function checkRows(population, context, ledger, findings, work) {
  const listed = new Map();
  const take = (row) => {
    if (!listed.has(row.partition)) listed.set(row.partition, []);
    listed.get(row.partition).push(row);
  };
  await work.each(population, take);
  await work.each(context, take);
  const proven = new Map();
  for (const what of ["population", "context"]) findings.count(what, 0);
  for (const [partition, rows] of [...listed].sort(([one], [other]) => one - other)) {
    await work.at("Proofs of rows", proven.size / listed.size);
    const where = `${rows.some((row) => !row.isContext) ? POPULATION : CONTEXT}, partition ${partition}`;
    const isGood = await findings.guard(where, () => checkPartition(partition, rows, ledger, where, findings, work));
    if (isGood) proven.set(partition, rows.length);
    await work.each(rows, (row) => {
      if (!isGood) row.problem = "not proven";
      else findings.count(row.isContext ? "context" : "population");
    });
  }
  for (const [index, extra] of ledger.extras) {
    if (extra.length && !listed.has(index)) {
      findings.add(TAMPERED, `${POPULATION}, partition ${index}`, `lists none of the rows that ${proofName(index)} is of`);
    }
  }
  return proven;
}

async function checkPartition(partition, rows, ledger, where, findings, work) {
  const name = proofName(partition);
  const entry = ledger.entries.get(partition);
  if (entry?.type !== "partition") throw new CheckError(TAMPERED, where, "is of no partition that an entry of the log proves");
  rows.sort((one, other) => one.row - other.row);
  const numbers = rows.map((row) => row.row);
  const twice = numbers.find((number, at) => number === numbers[at - 1]);
  if (twice !== undefined) throw new CheckError(TAMPERED, `${CONTEXT}, row ${twice} of partition ${partition}`, "is in the population too");
  const extra = ledger.extras.get(partition);
  if (!extra?.length) throw new CheckError(LOST, name, "is missing, or does not say which rows are shown");
  const proof = canonical(extra);
  const size = member(entry.value, "rows", "whole");
  for (const field of ["_", "entry", "hashes", "ranges", "rows"]) if (!Object.hasOwn(proof, field)) throw new Malformed(`no ${field}`);
  const isOfThis = proof._ === "evidence/subset-proof/1" && proof.entry === partition && proof.rows === size;
  if (!isOfThis || !Array.isArray(proof.hashes) || Object.keys(proof).length !== 5) {
    throw new CheckError(TAMPERED, name, "is not the proof of this partition");
  }
  if (!sameValue(proof.ranges, runsOf(numbers)) || numbers.at(-1) >= size) {
    throw new CheckError(TAMPERED, where, `lists other rows than ${name} is the proof of`);
  }
  const hashes = [];
  await work.each(rows, (row) => hashes.push(fromHex(row.record)));
  const given = proof.hashes.map((text) => fromHex(text));
  const root = await rootFromSubset(size, numbers, hashes, given, work);
  if (!root || hexOf(root) !== entry.value.root) {
    throw new CheckError(TAMPERED, where, `its records do not lead, by ${name}, to the root that the entry states`);
  }
  findings.count("partitions");
  findings.count("complete partitions", Number(numbers.length === size));
  return true;
}

/** Ascending numbers as `[first, number]` of each unbroken run. */
function runsOf(numbers) {
  const runs = [];
  let end = -1;
  for (const number of numbers) {
    if (number === end) runs[runs.length - 1][1] += 1;
    else runs.push([number, 1]);
    end = number + 1;
  }
  return runs;
}

/** Of every partition that can hold a record of the selection all rows are shown. */
function checkWhole(selection, entries, listed, proven, findings) {
  for (const entry of entries.values()) {
    if (entry.type !== "partition" || !mayHold(entry.value, selection)) continue;
    const count = listed.get(entry.index) ?? 0;
    if (!proven.has(entry.index) || count !== entry.value.rows) {
      const reason = `shows ${count} of ${entry.value.rows} rows of a partition that can hold records of the selection`;
      findings.add(TAMPERED, `${POPULATION}, partition ${entry.index}`, reason);
    }
    findings.count("partitions that can hold such records");
  }
}
