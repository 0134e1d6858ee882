/* The sample, drawn again: HMAC-SHA256 orders the rows of a stratum, and the first of them are taken. */

const SAMPLING = "data/sampling.json";
const SAMPLE = "data/sample.csv";
const SAMPLE_HEADING = "rank,partition,row,record,stratum,replaces";

/** The rows of the sample, in the order of the population, drawn again and compared with sample.csv; and the field that
    its strata are of. Null where the sampling itself does not come out. */
async function checkSample(bag, population, checkpoint, findings, work) {
  const sampling = canonical(await bag.read(SAMPLING, MAX_LIST));
  const drawn = await findings.guard(SAMPLING, () => drawnAgain(sampling, population, checkpoint, work));
  if (!drawn) return null;
  const lines = [SAMPLE_HEADING];
  for (const { row, rank, replaces } of drawn) {
    lines.push(`${rank},${row.partition},${row.row},${row.record},${csvField(row.stratum)},${replaces}`);
  }
  const stated = await bag.lines(SAMPLE, MAX_LINE);
  for (let at = 0; at < Math.min(stated.length, lines.length); at += 1) {
    if (!sameBytes(stated[at], bytesOf(lines[at]))) throw new CheckError(TAMPERED, `${SAMPLE}, line ${at + 1}`, "is not what the seed draws");
  }
  if (stated.length !== lines.length) throw new CheckError(TAMPERED, SAMPLE, "has another number of records than the seed draws");
  findings.count("records drawn again", drawn.length);
  const rows = drawn.map(({ row }) => row).sort((one, other) => one.partition - other.partition || one.row - other.row);
  return { rows, field: sampling.stratify ?? null };
}

/** The sample that the stated seed draws from the population, by stratum and rank. */
async function drawnAgain(sampling, population, checkpoint, work) {
  if (sampling._ !== "evidence/sample/1" || sampling.algorithm !== "hmac-sha256-order/1") {
    throw new CheckError(UNVERIFIABLE, SAMPLING, "is not of a version that this program knows");
  }
  const order = await ordered(population, samplingKey(member(sampling, "seed", "object"), checkpoint), work);
  const drawn = allocated(new Map([...order].map(([stratum, rows]) => [stratum, rows.length])), member(sampling, "size", "whole"));
  const claimed = [...order].map(([stratum, rows]) => ({ drawn: drawn.get(stratum), population: rows.length, stratum }));
  if (!sameValue(member(sampling, "strata", "list"), claimed)) {
    throw new CheckError(TAMPERED, SAMPLING, "states other strata than the population has");
  }
  const replaces = replacedIn(order, drawn, member(sampling, "replacements", "list"));
  return [...order].flatMap(([stratum, rows]) =>
    rows.slice(0, drawn.get(stratum)).map((row, at) => ({ row, rank: at + 1, replaces: replaces.get(row) ?? "" })),
  );
}

function samplingKey(seed, checkpoint) {
  const name = lookup({ given: "seed", nonce: "nonce" }, member(seed, "kind", "text"), "");
  if (Object.keys(seed).sort().join() !== ["kind", name].sort().join()) throw new Malformed("no seed");
  const said = bytesOf(member(seed, name, "text"));
  if (seed.kind === "given") return sha256(bytesOf("evidence/sample-seed/1\n"), said);
  return sha256(bytesOf("evidence/sample-nonce/1\n"), checkpoint.text, said);
}

/** Rows by stratum: strata by code point, rows by their HMAC. */
async function ordered(population, key, work) {
  const strata = new Map();
  for (const [at, row] of population.entries()) {
    if (work.isDue) await work.at("Sample", at / population.length);
    if (!strata.has(row.stratum)) strata.set(row.stratum, []);
    strata.get(row.stratum).push({ row, place: hexOf(hmacSha256(key, fromHex(row.record))) });
  }
  const byPlace = (one, other) =>
    one.place < other.place ? -1 : Number(one.place > other.place) || one.row.partition - other.row.partition || one.row.row - other.row.row;
  const sorted = [...strata].sort(([one], [other]) => byCodePoint(one, other));
  return new Map(sorted.map(([stratum, rows]) => [stratum, rows.sort(byPlace).map((item) => item.row)]));
}

/** How many rows are drawn of each stratum: in proportion, largest remainder, one at least where there is enough. */
function allocated(counts, size) {
  if (size < 0) throw new Malformed("no size");
  const total = (items) => items.reduce((sum, [, count]) => sum + count, 0);
  const fixed = new Map();
  const all = [...counts];
  size = Math.min(size, total(all));
  const rest = () => all.filter(([stratum]) => !fixed.has(stratum));
  while (size >= all.length) {
    const left = size - fixed.size;
    const open = rest();
    const small = open.filter(([, count]) => left * count < total(open));
    if (!small.length) break;
    for (const [stratum] of small) fixed.set(stratum, 1);
  }
  const [left, open] = [size - fixed.size, rest()];
  const sum = total(open); // 0 only where no stratum is left
  const drawn = new Map(open.map(([stratum, count]) => [stratum, Math.floor((left * count) / sum)]));
  const remainder = ([, count]) => (left * count) % sum;
  const most = [...open].sort((one, other) => remainder(other) - remainder(one) || byCodePoint(one[0], other[0]));
  const missing = left - [...drawn.values()].reduce((one, other) => one + other, 0);
  for (const [stratum] of most.slice(0, missing)) drawn.set(stratum, drawn.get(stratum) + 1);
  return new Map([...drawn, ...fixed]);
}

/** Apply the replacements: each takes the next row of the stratum. Which record stands in for which, by record. */
function replacedIn(order, drawn, replacements) {
  const place = new Map();
  for (const [stratum, rows] of order) rows.forEach((row, at) => place.set(row.record, { stratum, at }));
  const replaces = new Map();
  const gone = new Set();
  for (const item of replacements) {
    const found = place.get(member(item, "record", "text"));
    const next = found && order.get(found.stratum)[drawn.get(found.stratum)];
    const isTaken = found && found.at < drawn.get(found.stratum) && !gone.has(item.record);
    if (!isTaken || !next || next.record !== item.with) {
      throw new CheckError(TAMPERED, SAMPLING, "states a replacement that is not the next in order");
    }
    gone.add(item.record);
    replaces.set(next, item.record);
    drawn.set(found.stratum, drawn.get(found.stratum) + 1);
  }
  return replaces;
}

/** A field as a list writes it. */
function csvField(text) {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
