/* The sample, drawn again: HMAC-SHA256 orders the rows of a stratum, and the first of them are taken. */

const SAMPLING = "data/sampling.json";
const SAMPLE = "data/sample.csv";
const SAMPLE_HEADER = "rank,partition,row,record,stratum,replaces";

/** The rows of the sample, in the order of the population. */
async function checkSample(bag, population, checkpoint, findings, work) {
  const stated = await findings.guard(SAMPLING, async () => readSampling(await bag.read(SAMPLING, MAX_MANIFEST)));
  if (!stated) return null;
  const order = await ordered(population, samplingKey(stated.seed, checkpoint), work);
  const drawn = allocated(new Map([...order].map(([stratum, rows]) => [stratum, rows.length])), stated.size);
  const claimed = [...order].map(([stratum, rows]) => ({ drawn: drawn.get(stratum), population: rows.length, stratum }));
  if (!sameValue(stated.strata, claimed)) {
    throw new CheckError(TAMPERED, SAMPLING, "states other strata than the population has");
  }
  const replaces = replacedIn(order, drawn, stated.replacements);
  const taken = [];
  let text = `${SAMPLE_HEADER}\n`;
  for (const [stratum, rows] of order) {
    rows.slice(0, drawn.get(stratum)).forEach((row, at) => {
      taken.push(row);
      text += `${at + 1},${row.partition},${row.row},${row.record},${quoted(stratum)},${replaces.get(row.record) ?? ""}\n`;
    });
  }
  if (!sameBytes(await bag.read(SAMPLE), bytesOf(text))) {
    throw new CheckError(TAMPERED, SAMPLE, "is not the sample that seed and population give");
  }
  findings.count("sampled rows", taken.length);
  return taken.sort((one, other) => one.partition - other.partition || one.row - other.row);
}

function readSampling(data) {
  const stated = canonical(data);
  if (stated._ !== "evidence/sample/1" || stated.algorithm !== "hmac-sha256-order/1") {
    throw new CheckError(UNVERIFIABLE, SAMPLING, "is not of a version that this program knows");
  }
  const known = "_,algorithm,replacements,seed,size,strata,stratify";
  if (Object.keys(stated).sort().join() !== known || member(stated, "size", "whole") < 1) throw new Malformed("no sampling");
  member(stated, "seed", "object");
  member(stated, "strata", "list");
  member(stated, "replacements", "list");
  return stated;
}

function samplingKey(seed, checkpoint) {
  const kind = member(seed, "kind", "text");
  if (!["seed", "nonce"].includes(kind === "given" ? "seed" : kind)) throw new Malformed("no seed");
  const said = bytesOf(member(seed, kind === "given" ? "seed" : "nonce", "text"));
  if (said.length < 1 || said.length > 1024) throw new Malformed("no seed");
  if (kind === "given") return sha256(bytesOf("evidence/sample-seed/1\n"), said);
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
  const sum = total(open);
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
    if (!isTaken || !next || next.record !== item.with || !/^[a-z][a-z0-9_.:-]{0,63}$/.test(member(item, "reason", "text"))) {
      throw new CheckError(TAMPERED, SAMPLING, "has a replacement that the order does not give");
    }
    gone.add(item.record);
    replaces.set(next.record, item.record);
    drawn.set(found.stratum, drawn.get(found.stratum) + 1);
  }
  return replaces;
}

function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
