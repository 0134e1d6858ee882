/* What was found and what was checked. Verdicts, exit codes and objects are those of verify.py. */

const SCHEMA = "evidence/verify-bundle/2";
const INTACT = "intact";
const TAMPERED = "tampered";
const LOST = "lost";
const UNVERIFIABLE = "unverifiable";
const NOTHING_THERE = "nothing there";
const STALE = "stale";
const UNPINNED = "unpinned";
const EXIT_CODES = {
  [INTACT]: 0, [TAMPERED]: 1, [UNVERIFIABLE]: 3, [NOTHING_THERE]: 4, [LOST]: 5, [STALE]: 6, [UNPINNED]: 6,
};
const WORST_FIRST = [TAMPERED, LOST, UNVERIFIABLE, NOTHING_THERE, STALE, UNPINNED];

const MOST_FINDINGS = 1000;
const LOOK_BACK = 20;
const SHAPE_ERRORS = [Malformed, TypeError, RangeError, SyntaxError]; // what was read has another shape than it should

/** Something found while checking: a verdict, the file and row that it is about, and why. */
class CheckError extends Error {
  constructor(verdict, where, reason) {
    super(reason);
    this.verdict = verdict;
    this.where = where;
    this.reason = reason;
  }
}

/** Findings and numbers of one part of the check. */
class Findings {
  constructor() {
    this.findings = []; // the first of them: all count for the verdict
    this.verdicts = new Set();
    this.checked = new Map();
  }

  add(verdict, object, reason) {
    const isSame = (one) => one.object === object && one.reason === reason && one.verdict === verdict;
    this.verdicts.add(verdict);
    if (this.findings.length < MOST_FINDINGS && !this.findings.slice(-LOOK_BACK).some(isSame)) this.findings.push({ verdict, object, reason });
  }

  count(what, number = 1) {
    this.checked.set(what, (this.checked.get(what) ?? 0) + number);
  }

  /** What `check` returns; undefined, with a finding, if it throws CheckError or meets what has another shape. */
  async guard(where, check) {
    try {
      return await check();
    } catch (error) {
      this.note(where, error);
      return undefined;
    }
  }

  /** The same without waiting, for what is done for each row. */
  guardNow(where, check) {
    try {
      return check();
    } catch (error) {
      this.note(where, error);
      return undefined;
    }
  }

  note(where, error) {
    if (error instanceof Cancelled) throw error;
    if (error instanceof CheckError) this.add(error.verdict, error.where, error.reason);
    else if (SHAPE_ERRORS.some((type) => error instanceof type)) this.add(TAMPERED, where, "is malformed");
    else throw error;
  }
}

/** The worst of some verdicts. Stale and unpinned count only where strict. */
function worst(verdicts, strict = false) {
  return WORST_FIRST.find((one) => verdicts.has(one) && (strict || ![STALE, UNPINNED].includes(one))) ?? INTACT;
}

/** How a row is named in findings. */
function rowIn(file, row) {
  return `${file}, row ${row.row} of partition ${row.partition} (record ${row.record.slice(0, 12)})`;
}
