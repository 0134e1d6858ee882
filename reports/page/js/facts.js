/* What is said of a row in words: its verdict, the state of its content, its time. */

const STATES = {
  verified: ["good", "proven", "verified", "The content is the one that the record commits to."],
  redacted: ["note", "proven", "redacted", "A part was taken out by an erasure; the rest is what the log's redaction commits to."],
  erased: ["gone", "missing", "erased", "Rendered unreadable by key destruction; the log says so."],
  expired: ["gone", "missing", "expired", "Ended by the retention policy; the log says so."],
  restricted: ["gone", "sealed", "restricted", "Processing is restricted; the log says so."],
  sealed: ["note", "sealed", "sealed", "The content is in the bundle and opens with a grant."],
  "not disclosed": ["none", "missing", "not disclosed", "The bundle has a commitment to the content, not the content."],
};

/** The verdict of one row: [tone, icon, words, title]. */
function rowVerdict(row, bundle) {
  if (row.problem === "tampered") return ["bad", "tampered", "tampered", "The line is not the one that was sealed, or does not belong here."];
  if (row.problem) return ["warn", "unsure", "not proven", "The proof of this partition's rows does not hold."];
  if (bundle.isStopped) return ["bad", "tampered", "no checkpoint", "The checkpoint's signature is wrong: nothing under it is proven."];
  if (!bundle.isTrusted) return ["warn", "unsure", "no key yet", "Leads to the checkpoint; whether that is the log's, only your key tells."];
  if (!row.line) return ["good", "proven", "id proven", "The id leads to the log; the line is not in the sample."];
  return ["good", "proven", "proven", "Line, partition root, entry and checkpoint lead to the key that you gave."];
}

/** The state of a row's content: [tone, icon, words, title]. */
function contentState(row) {
  if (row.problem === "tampered" && !row.line) return ["warn", "unsure", "not checked", "The record that commits to it is tampered."];
  if (row.contentProblem) return ["bad", "tampered", row.contentProblem, "See the findings."];
  if (row.sealed && !row.content) return STATES.sealed;
  if (row.content?.length === 0) return ["good", "proven", "empty", "The record commits to no bytes: there was no content."];
  if (!row.state) return STATES["not disclosed"];
  return lookup(STATES, row.state, ["warn", "unsure", shortly(row.state, 20), "As the exporting store found it."]);
}

function rowTime(row) {
  return row.line ? (row.line.occurred_at ?? row.line.observed_at) : "";
}

/** 2026-10-01 08:30:00.123 as people read it; always UTC. */
function readTime(time, withDay = true) {
  if (typeof time !== "string" || time.length < 19) return "time unknown";
  return `${withDay ? `${time.slice(0, 10)} ` : ""}${time.slice(11, 23).replace("Z", "")}`;
}

/** Local time, for a title. */
function localTime(time) {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? "" : `${at.toLocaleString()} (your time zone)`;
}

function modelOf(line) {
  const ref = isObject(line.model_ref) ? line.model_ref : {};
  const name = String(line.gen_ai_response_model ?? line.gen_ai_request_model ?? ref.name ?? "");
  return ref.version ? `${name || ref.name} ${ref.version}` : name;
}

function outcomeOf(line) {
  return String(line.decision ?? (line.status && line.status !== "ok" ? line.status : (line.error_type ?? "")));
}

function toneOf(outcome) {
  if (["blocked", "rejected", "error", "revoked"].includes(outcome)) return "bad";
  if (["masked", "flagged", "pending", "failed_to_respond", "not_run", "requested"].includes(outcome)) return "warn";
  return ["allowed", "approved"].includes(outcome) ? "good" : "none";
}

/** Seconds as people read them. */
function readLength(seconds) {
  const whole = Math.round(Number(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor((whole % 86400) / 3600), Math.floor((whole % 3600) / 60)];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

function readSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
