/* Lists that the exporter made of proven things, accesses, erasures, holds, counts: what they say is what the proven lines
   and entries say. */

const ACCESSES = "data/accesses.jsonl";
const ENTRY_LISTS = { "data/erasures.jsonl": ["erasure", "reseal", "retention", "restriction"], "data/holds.jsonl": ["hold"] };
const TIE_OUT = "data/tie-out.csv";

async function checkLists(bag, bundle, findings) {
  for (const [name, types] of Object.entries(ENTRY_LISTS)) {
    if (bag.has(name)) await findings.guard(name, () => checkEntryList(bag, name, types, bundle.entries, findings));
  }
  if (bag.has(ACCESSES)) await findings.guard(ACCESSES, () => checkAccesses(bag, bundle.byRecord, findings));
  if (bag.has(TIE_OUT)) await findings.guard(TIE_OUT, () => checkTieOut(bag, { population: bundle.population.length, records: bundle.shown.length }, findings));
}

async function checkEntryList(bag, name, types, entries, findings) {
  let last = -1;
  for (const [at, line] of (await bag.lines(name, MAX_LINE)).entries()) {
    const item = canonical(line);
    const entry = entries.get(item.index);
    if (!entry || item.index <= last || !types.includes(entry.type) || !sameValue(entry.value, item.entry ?? null)) {
      throw new CheckError(TAMPERED, `${name}, line ${at + 1}`, "is not an entry of this sort that the log is proven to hold");
    }
    last = item.index;
    findings.count("entries repeated for reading");
  }
}

async function checkAccesses(bag, byRecord, findings) {
  for (const [at, line] of (await bag.lines(ACCESSES, MAX_LINE)).entries()) {
    const where = `${ACCESSES}, line ${at + 1}`;
    const record = findings.guardNow(where, () => member(canonical(line), "record", "text"));
    if (byRecord.get(record)?.line?.kind !== "access") findings.add(TAMPERED, where, "is of no access record that is shown");
    findings.count("accesses");
  }
}

/** The counts that can be counted here. */
async function checkTieOut(bag, counted, findings) {
  for (const row of csvRows(textOf(await bag.read(TIE_OUT, MAX_SMALL)))) {
    if (row.length < 2) throw new Malformed("a row without a number");
    if (Object.hasOwn(counted, row[0]) && row[1] !== String(counted[row[0]])) {
      findings.add(TAMPERED, TIE_OUT, `states ${row[0]} as another number than the bundle holds`);
    }
  }
}

function csvRows(text) {
  const rows = [];
  let row = [];
  let end = 0;
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  while (end < text.length) {
    const found = field.exec(text);
    if (!found) throw new Malformed("no CSV");
    row.push(found[1]?.replaceAll('""', '"') ?? found[2]);
    end = field.lastIndex;
    if (found[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
