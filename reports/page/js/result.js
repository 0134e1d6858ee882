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
    this.findings = [];
    this.checked = new Map();
  }

  add(verdict, object, reason) {
    this.findings.push({ verdict, object, reason });
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
    else if (error instanceof Malformed) this.add(TAMPERED, where, "is malformed");
    else throw error;
  }
}

/** The worst verdict among findings. Stale and unpinned count only where strict. */
function worst(findings, strict = false) {
  const found = new Set(findings.map((finding) => finding.verdict));
  return WORST_FIRST.find((verdict) => found.has(verdict) && (strict || ![STALE, UNPINNED].includes(verdict))) ?? INTACT;
}

/** How a row is named in findings. */
function rowIn(file, row) {
  return `${file}, row ${row.row} of partition ${row.partition} (record ${row.record.slice(0, 12)})`;
}
