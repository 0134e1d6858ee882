/* Which records a bundle is about. Times are compared as text without their Z, which sorts as time. */

const SELECTED = {
  session: (line, selection) => line.session === member(selection, "session", "text"),
  time: () => true,
  subject: (line, selection) => {
    const wanted = new Set(member(selection, "subjects", "list"));
    return peopleOf(line).some((person) => wanted.has(person));
  },
  model: (line, selection) => {
    const model = member(selection, "model", "text");
    const named = optional(line, "model_ref", "object") ?? {};
    const names = [named.name, line.gen_ai_request_model, line.gen_ai_response_model];
    return names.includes(model) && (selection.version === undefined || named.version === selection.version);
  },
  query: () => true, // which records a query or a control is about is not evaluated here
  control: () => true,
};

const UNEVALUATED = ["query", "control"];
const KEYS = { session: ["session"], time: [], subject: ["subjects"], model: ["model", "version"] };
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** The selection that a bundle states, in its one form. */
function readSelection(statement) {
  const selection = member(statement, "selection", "object");
  const type = member(selection, "type", "text");
  if (!Object.hasOwn(SELECTED, type)) throw new Malformed("a selection of an unknown type");
  for (const bound of [optional(selection, "from", "text"), optional(selection, "to", "text")]) {
    if (bound !== undefined && !UTC.test(bound)) throw new Malformed("a bound that is no time");
  }
  const known = ["type", "from", "to", ...(KEYS[type] ?? [])];
  if (!UNEVALUATED.includes(type) && !Object.keys(selection).every((key) => known.includes(key))) {
    throw new Malformed("a selection with something else in it");
  }
  if (type === "session") member(selection, "session", "text");
  if (type === "model") member(selection, "model", "text");
  optional(selection, "version", "text");
  if (type === "subject" && !member(selection, "subjects", "list").every(IS.text)) throw new Malformed("no subjects");
  return selection;
}

/** Whether a record line belongs to the selection. */
function isSelected(line, selection) {
  return isInPeriod(line, selection) && SELECTED[selection.type](line, selection);
}

function isInPeriod(line, selection) {
  const at = timeOf(line).slice(0, -1);
  const [from, to] = [optional(selection, "from", "text"), optional(selection, "to", "text")];
  return (from === undefined || from.slice(0, -1) <= at) && (to === undefined || at < to.slice(0, -1));
}

function timeOf(line) {
  return optional(line, "occurred_at", "text") ?? member(line, "observed_at", "text");
}

/** Everybody whom a line names: the owner of its content, and its subjects in all roles. */
function peopleOf(line) {
  const roles = Object.values(optional(line, "subjects", "object") ?? {});
  return [member(member(line, "content", "object"), "owner", "text"), ...roles.flat()];
}

/** Whether a partition of this entry can hold records of the selection: to the second. */
function mayHold(entry, selection) {
  const time = member(entry, "time", "object");
  const [first, last] = [member(time, "from", "text").slice(0, 19), member(time, "to", "text").slice(0, 19)];
  const [from, to] = [optional(selection, "from", "text"), optional(selection, "to", "text")];
  return (from === undefined || from.slice(0, 19) <= last) && (to === undefined || first <= to.slice(0, 19));
}
