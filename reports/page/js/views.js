/* Lists that the exporter made of proven things: accesses, erasures, holds, the replay, counts. What they say must be
   what the proven lines, entries and contents say. */

const ACCESSES = "data/accesses.jsonl";
const ENTRY_VIEWS = { "data/erasures.jsonl": ["erasure", "reseal", "retention", "restriction"], "data/holds.jsonl": ["hold"] };
const REPLAY = "data/replay.jsonl";
const TIE_OUT = "data/tie-out.csv";
const MAX_REPLAY_LINE = 64 * 2 ** 20;

/** Each item of a list of lines through a check of its own; the items that are good. */
async function eachLine(bag, name, longest, findings, work, check) {
  const good = [];
  if (!bag.has(name)) return good;
  const lines = (await findings.guard(name, () => bag.lines(name, longest))) ?? [];
  for (const [at, line] of lines.entries()) {
    const where = `${name}, line ${at + 1}`;
    if (work.isDue) await work.at("Lists", at / lines.length);
    const found = findings.guardNow(where, () => {
      const item = canonical(line);
      check(item, where);
      return { ...item, where };
    });
    if (found) good.push(found);
  }
  return good;
}

async function checkAccesses(bag, byRecord, findings, work) {
  return eachLine(bag, ACCESSES, MAX_SMALL, findings, work, (item, where) => {
    const row = byRecord.get(member(item, "record", "text"));
    if (row?.line?.kind !== "access") throw new CheckError(TAMPERED, where, "names no access record of the bundle");
  });
}

async function checkEntryViews(bag, entries, findings, work) {
  const found = {};
  for (const [name, types] of Object.entries(ENTRY_VIEWS)) {
    found[name] = await eachLine(bag, name, MAX_SMALL, findings, work, (item, where) => {
      const entry = entries.get(member(item, "index", "whole"));
      if (!entry || !types.includes(entry.type) || !sameValue(member(item, "entry", "object"), entry.value)) {
        throw new CheckError(TAMPERED, where, "states another entry than the log");
      }
    });
  }
  return found;
}

/** Whether a text stands in a content: as it is, or in a JSON string of it. */
function occurs(text, content) {
  let whole;
  try {
    whole = textOf(content);
  } catch {
    return false;
  }
  return whole.includes(text) || occursInJson(text, whole, 3);
}

function occursInJson(text, packed, deep) {
  let value;
  try {
    value = JSON.parse(packed);
  } catch {
    return false;
  }
  return standsIn(text, value, deep);
}

function standsIn(text, value, deep) {
  const waiting = [value];
  while (waiting.length) {
    const next = waiting.pop();
    if (typeof next === "string") {
      if (next.includes(text) || (deep > 0 && /^[ \t\r\n]*[[{]/.test(next) && occursInJson(text, next, deep - 1))) return true;
    } else if (next && typeof next === "object") {
      for (const item of Object.values(next)) waiting.push(item);
    }
  }
  return false;
}

/** The events of the replay: each of a record of the bundle and its session; what is called verbatim is in the bytes. */
async function checkReplay(bag, byRecord, findings, work) {
  return eachLine(bag, REPLAY, MAX_REPLAY_LINE, findings, work, (event, where) => {
    const row = byRecord.get(member(event, "record", "text"));
    if (!row?.line || row.isContext) throw new CheckError(TAMPERED, where, "is about a record that the bundle does not prove");
    const said = [event.session ?? null, event.kind, event.state];
    if (said.join("\n") !== [row.line.session ?? null, row.line.kind, row.state].join("\n")) {
      throw new CheckError(TAMPERED, where, "is of another session, kind or state than its record");
    }
    for (const part of (event.parts === null ? [] : member(event, "parts", "list"))) checkPart(part, row, where);
    findings.count("replayed events");
  });
}

function checkPart(part, row, where) {
  const text = member(part, "text", "text");
  member(part, "role", "text");
  member(part, "type", "text");
  if (member(part, "verbatim", "flag") && !(row.content && occurs(text, row.content))) {
    throw new CheckError(TAMPERED, where, "calls a text verbatim that is not in the record's content");
  }
}

/** The counts of tie-out.csv that can be counted here. */
async function checkTieOut(bag, population, records) {
  if (!bag.has(TIE_OUT)) return [];
  const rows = csvRows(textOf(await bag.read(TIE_OUT, MAX_MANIFEST)));
  if (rows[0]?.join() !== "count,number,query") throw new CheckError(TAMPERED, TIE_OUT, "has another header");
  const counted = { population, records };
  for (const [name, number] of rows.slice(1)) {
    if (Object.hasOwn(counted, name) && number !== String(counted[name])) {
      throw new CheckError(TAMPERED, TIE_OUT, `states ${shown(number ?? "")} ${name}, and there are ${counted[name]}`);
    }
  }
  return rows.slice(1);
}

function csvRows(text) {
  const rows = [];
  let row = [];
  for (const [, plain, packed, end] of text.matchAll(/(?:([^",\n]*)|"((?:[^"]|"")*)")(,|\n)/g)) {
    row.push(packed === undefined ? plain : packed.replaceAll('""', '"'));
    if (end === "\n") {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}
