/* The record lines: each is that of its listed record, and belongs to the selection, or to what is beside it. */

const RECORDS = "data/records.jsonl";
const CONTEXT_LINES = "data/context.jsonl";
const MAX_RECORD = 2 ** 16;
const RECORD_START = bytesOf('{"_":"evidence/record/1"');
const COUNTED = { [RECORDS]: "records", [CONTEXT_LINES]: "lines of context" };

/** Give each row its line. `judge` says what is wrong with one, or "".

    Where lines are out of step, one line too few or too many is one finding: the next line that a row names sets them
    right again. */
async function checkLines(bag, name, rows, judge, findings, work) {
  const lines = await bag.lines(name, MAX_RECORD);
  const places = new Map();
  await work.each(rows, (row, place) => places.set(row.record, place));
  let at = 0;
  for (const [number, line] of lines.entries()) {
    if (work.isDue) await work.at("Records", number / lines.length);
    const record = hexOf(leafHash(line));
    const found = rows[at]?.record === record ? at : places.get(record);
    if (found === undefined) {
      if (at < rows.length) wrongLine(rows[at], name, "is not the line of this record", findings, line);
      else findings.add(TAMPERED, name, "has more lines than rows");
      at += 1;
    } else if (found < at) wrongLine(rows[found], name, "is there twice, or out of order", findings);
    else {
      for (; at < found; at += 1) wrongLine(rows[at], name, "its line is missing", findings);
      takeLine(rows[found], line, name, judge, findings);
      at = found + 1;
    }
  }
  for (; at < rows.length; at += 1) wrongLine(rows[at], name, "its line is missing", findings);
}

function wrongLine(row, name, reason, findings, line = null) {
  row.problem = "tampered";
  row.bytes ??= line;
  findings.add(TAMPERED, rowIn(name, row), reason);
}

function takeLine(row, line, name, judge, findings) {
  const where = rowIn(name, row);
  row.bytes = line;
  const isGood = findings.guardNow(where, () => {
    if (!startsWith(line, RECORD_START)) {
      throw new CheckError(UNVERIFIABLE, where, "is no record of a version that this program knows");
    }
    const value = canonical(line);
    const complaint = judge(value, row);
    if (complaint) {
      row.problem = "tampered";
      findings.add(TAMPERED, where, complaint);
    }
    member(value, "kind", "text");
    member(member(value, "content", "object"), "commitment", "text");
    peopleOf(value);
    row.line = value;
    findings.count(COUNTED[name]);
    return true;
  });
  if (!isGood) row.problem ||= "not proven";
}

/** Lines of the population belong to the selection, and to their stratum: the text of a field of theirs. */
function judgeSelected(selection, field) {
  return (line, row) => {
    if (isSelected(line, selection) === false) return "does not belong to the selection that is stated";
    return field !== null && textAt(line, field) !== row.stratum ? "is of another stratum than its line says" : "";
  };
}

/** Lines of the context do not belong to the selection. */
function judgeApart(selection) {
  return (line) => (isSelected(line, selection) === true ? "belongs to the selection, and the population leaves it out" : "");
}

function textAt(line, field) {
  return field.split(".").reduce((value, part) => (isObject(value) && Object.hasOwn(value, part) ? value[part] : ""), line);
}
