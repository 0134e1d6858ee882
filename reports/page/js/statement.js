/* data/bundle.json: what the bundle says of itself, of which everything else can be checked then; and which records it is
   about. Times are compared as text without their Z, which sorts as time. */

const STATEMENT = "data/bundle.json";
const BUNDLE = "evidence/bundle/2";
const CERTIFICATE = "evidence/certificate/1";
const UTC = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z$/;
const CRITERIA = { session: ["session"], time: [], subject: ["subjects"], model: ["model"] };
const UNEVALUATED = ["query", "control"]; // which records these are about, the lines alone do not tell

async function readStatement(bag) {
  const stated = canonical(await bag.read(STATEMENT, MAX_LIST));
  if (member(stated, "_", "text") === CERTIFICATE) return stated;
  if (stated._ !== BUNDLE) throw new CheckError(UNVERIFIABLE, STATEMENT, "is not of a version that this program knows");
  const { completeness, content, sampled } = stated;
  if (!["whole", "shown"].includes(completeness) || !["none", "disclosed", "sealed"].includes(content) || !IS.flag(sampled)) {
    throw new CheckError(TAMPERED, STATEMENT, "says what no bundle can be");
  }
  const selection = member(stated, "selection", "object");
  if (!isSelection(selection) || (completeness === "whole" && UNEVALUATED.includes(selection.type))) {
    throw new CheckError(TAMPERED, STATEMENT, "states a selection that this version does not have");
  }
  if ((content === "sealed") !== /^[0-9a-f]{32}$/.test(optional(stated, "export", "text") ?? "")) {
    throw new CheckError(TAMPERED, STATEMENT, "names an export that seals nothing, or none for sealed content");
  }
  return stated;
}

function isSelection(selection) {
  const type = member(selection, "type", "text");
  const isText = Object.entries(selection).every(([name, value]) => name === "subjects" || IS.text(value));
  const bounds = [selection.from, selection.to].filter((bound) => bound !== undefined);
  if (!isText || !bounds.every((bound) => UTC.test(bound))) return false;
  if (UNEVALUATED.includes(type)) return true;
  if (!Object.hasOwn(CRITERIA, type)) return false;
  const names = Object.keys(selection).filter((name) => name !== "type");
  const free = [...CRITERIA[type], "from", "to", ...(type === "model" ? ["version"] : [])];
  const subjects = selection.subjects ?? ["-"];
  const isNamed = Array.isArray(subjects) && subjects.length > 0 && subjects.every(IS.text);
  return isNamed && CRITERIA[type].every((name) => names.includes(name)) && names.every((name) => free.includes(name));
}

const SELECTED = {
  session: (line, selection) => line.session === selection.session,
  time: () => true,
  subject: (line, selection) => peopleOf(line).some((person) => selection.subjects.includes(person)),
  model: (line, { model, version }) => {
    const named = optional(line, "model_ref", "object") ?? {};
    const names = [named.name, line.gen_ai_request_model, line.gen_ai_response_model];
    return names.includes(model) && (version === undefined || named.version === version);
  },
};

/** Whether a record line belongs to the selection; null where lines alone cannot tell, though it is of the period. */
function isSelected(line, selection) {
  if (!isInPeriod(line, selection)) return false;
  return UNEVALUATED.includes(selection.type) ? null : SELECTED[selection.type](line, selection);
}

function isInPeriod(line, { from, to }) {
  const at = timeOf(line).slice(0, -1);
  return (from === undefined || from.slice(0, -1) <= at) && (to === undefined || at < to.slice(0, -1));
}

function timeOf(line) {
  return optional(line, "occurred_at", "text") ?? member(line, "observed_at", "text");
}

/** Everybody whom a line names: the owner of its content, and people in any role. */
function peopleOf(line) {
  const roles = Object.values(optional(line, "subjects", "object") ?? {});
  return [member(member(line, "content", "object"), "owner", "text"), ...roles.flat()];
}

/** Whether a partition of this entry can hold records of the selection: to the second. */
function mayHold(entry, { from, to }) {
  const time = member(entry, "time", "object");
  const [first, last] = [member(time, "from", "text").slice(0, 19), member(time, "to", "text").slice(0, 19)];
  return (from === undefined || from.slice(0, 19) <= last) && (to === undefined || first <= to.slice(0, 19));
}

/** Whether a file under data/ has a place in such a bundle. */
function hasPlace(name, stated) {
  const ofCertificates = ["data/certificate", "data/plan.json", "data/before", "data/before.json"];
  const ofBoth = [STATEMENT, CHECKPOINT, HINT, POLICY, CONSISTENCY, ENTRIES];
  if (ofBoth.includes(name) || name.startsWith("data/proofs/")) return true;
  if (stated._ === CERTIFICATE) return ofCertificates.includes(name);
  if (name === SAMPLING || name === SAMPLE) return stated.sampled;
  if (name === CONTENT || name === REPLAY || name.startsWith("data/content/")) return stated.content !== "none";
  return !ofCertificates.includes(name);
}
