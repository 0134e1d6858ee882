/* The events of the replay: each of a record that is shown; and the texts in contents, among which those are that the
   replay calls verbatim. */

const REPLAY = "data/replay.jsonl";
const MAX_EVENT = 64 * 2 ** 20;
const NESTED = 3; // so deep JSON is looked for in strings of JSON: arguments of tools are JSON in a string
const MAX_CONTENT_DEPTH = 512;

/** The events, in the order of the replay; into `claims` go the texts that are called verbatim, by record. */
async function readReplay(bag, byRecord, isSealed, claims, findings, work) {
  const events = [];
  const lines = await bag.lines(REPLAY, MAX_EVENT);
  for (const [at, line] of lines.entries()) {
    if (work.isDue) await work.at("Replay", at / lines.length);
    const where = `${REPLAY}, line ${at + 1}`;
    const event = canonical(line);
    findings.guardNow(where, () => {
      const parts = checkEvent(event, byRecord, isSealed, where);
      if (!claims.has(event.record)) claims.set(event.record, []);
      claims.get(event.record).push(...parts.map((part) => ({ where, part })));
      events.push(arranged(event));
      findings.count("events");
    });
  }
  return events;
}

/** An event as it can be shown: what else the exporter has arranged is shown as far as it has the shape of it. */
function arranged(event) {
  const text = (value) => (IS.text(value) ? value : null);
  const list = (value) => (IS.list(value) ? value : []);
  return {
    ...event, at: text(event.at), idle: text(event.idle), session: event.session === null ? null : String(event.session),
    notes: list(event.notes).map(String), in_force: list(event.in_force).filter(isObject), repeated: IS.whole(event.repeated) ? event.repeated : 0,
  };
}

/** The parts of an event whose texts are called verbatim. */
function checkEvent(event, byRecord, isSealed, where) {
  const row = byRecord.get(hexOf(fromHex(event.record)));
  if (!row?.line || row.isContext || !row.state) throw new CheckError(TAMPERED, where, "is of no record that is shown");
  for (const name of ["session", "kind", "state", "parts"]) if (!Object.hasOwn(event, name)) throw new Malformed(`no ${name}`);
  if ((row.line.session ?? null) !== event.session || row.line.kind !== event.kind || row.state !== event.state) {
    throw new CheckError(TAMPERED, where, "states another session, kind or state than its record");
  }
  if ((event.parts === null) !== isSealed) {
    throw new CheckError(TAMPERED, where, "shows parts of sealed content, or none of what is disclosed");
  }
  const parts = verbatimIn(event.parts ?? []);
  if (parts.length && !DISCLOSED.includes(row.state)) {
    throw new CheckError(TAMPERED, where, "calls a text verbatim of content that is not disclosed");
  }
  return parts;
}

function verbatimIn(parts) {
  if (!Array.isArray(parts)) throw new Malformed("no parts");
  for (const part of parts) if (!isObject(part) || !Object.hasOwn(part, "verbatim")) throw new Malformed("no part");
  const claimed = parts.filter((part) => part.verbatim !== false);
  for (const part of claimed) member(part, "text", "text");
  return claimed;
}

/** The texts of a content: its UTF-8; if it is JSON, the strings in it; and the strings in those that are JSON objects or
    arrays again, three deep. None where it is not UTF-8. */
function textsOf(content) {
  let whole;
  try {
    whole = textOf(content);
  } catch {
    return [];
  }
  const found = [whole];
  let level = stringsIn(whole);
  for (let depth = 0; depth < NESTED; depth += 1) {
    found.push(...level);
    level = level.filter((text) => /^[ \t\n\r]*[[{]/.test(text)).flatMap(stringsIn);
  }
  return [...found, ...level];
}

/** The strings of a JSON text, keys apart; none where it does not parse, or nests too deep. */
function stringsIn(text) {
  let level;
  try {
    level = [JSON.parse(text)];
  } catch {
    return [];
  }
  const strings = [];
  for (let depth = 0; depth <= MAX_CONTENT_DEPTH; depth += 1) {
    for (const item of level) if (typeof item === "string") strings.push(item);
    level = level.filter((item) => typeof item === "object" && item !== null).flatMap((item) => Object.values(item));
    if (!level.length) return strings;
  }
  return [];
}
