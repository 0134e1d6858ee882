/* A certificate of erasure: a statement, signed, about entries that the log is proven to hold. */

const CERTIFIED = "data/certificate";
const PLAN = "data/plan.json";
const BEFORE = "data/before";
const BEFORE_PROOF = "data/before.json";
const APPROVAL = "evidence/approval/1";
const SSH_NAMESPACE = bytesOf("evidence-approval");
const SSH_KEY = bytesOf("ssh-ed25519");
const SSH_START = joined(bytesOf("SSHSIG"), u32(1));

/** What a certificate states of plan, approvals and erasure is what the log's entries say. Returns the statement. */
async function checkCertificate(bundle, findings) {
  const { bag, checkpoint, entries } = bundle;
  const stated = await signedStatement(bag, checkpoint.origin, entries, findings);
  bundle.certificate = stated;
  const listed = member(stated, "entries", "object");
  const plan = await bag.read(PLAN, MAX_LIST);
  const planned = entryOf(entries, listed.planned, "request", member(stated, "request", "text"));
  if (hexOf(sha256(plan)) !== stated.plan || member(planned, "plan", "object").blob !== stated.plan) {
    throw new CheckError(TAMPERED, PLAN, "is not the plan that the log and the certificate name");
  }
  findings.count("rows of the plan", checkOutcomes(canonical(plan), stated));
  await checkApprovals(stated, planned, entries, checkpoint.origin, findings);
  checkActs(stated, entries, findings);
  await checkBefore(bag, checkpoint, stated, findings);
}

/** The statement in `certificate`: three lines, signed by a key that the log enrols for certificates. */
async function signedStatement(bag, origin, entries, findings) {
  const note = splitNote(await bag.read(CERTIFIED, MAX_LIST));
  const [kind, named, text] = textOf(note.text).split("\n");
  if (kind !== CERTIFICATE || named !== origin) {
    throw new CheckError(UNVERIFIABLE, CERTIFIED, "is of another log, or of a version that this program does not know");
  }
  let isSigned = false;
  for (const key of holdersOf(entries, "certificate")) isSigned ||= await isSignedBy(note, key, CERTIFIED);
  if (!isSigned) throw new CheckError(TAMPERED, CERTIFIED, "is signed by no key that the log enrols for certificates");
  findings.count("signatures");
  const stated = canonicalText(text ?? "");
  if (stated._ !== CERTIFICATE || stated.origin !== origin) throw new CheckError(TAMPERED, CERTIFIED, "is no statement of this log");
  return stated;
}

function entryOf(entries, index, kind, request) {
  const entry = entries.get(index);
  if (entry?.type !== kind || entry.value.request !== request) {
    throw new CheckError(TAMPERED, CERTIFIED, `names entry ${index}, which is no ${kind} entry of this request`);
  }
  return entry.value;
}

/** The number of rows by outcome and basis is that of the plan. */
function checkOutcomes(plan, stated) {
  const key = (item) => written([item.outcome ?? null, item.basis ?? null], 0);
  const rows = [...member(plan, "rows", "list"), ...member(plan, "redactions", "list")];
  const found = new Map();
  for (const row of rows) found.set(key(row), (found.get(key(row)) ?? 0) + 1);
  const listed = new Map(member(stated, "outcomes", "list").map((item) => [key(item), item.rows]));
  if (listed.size !== found.size || [...found].some(([name, number]) => listed.get(name) !== number)) {
    throw new CheckError(TAMPERED, CERTIFIED, "states other outcomes than the plan");
  }
  return rows.length;
}

/** Somebody else than who opened or planned the request has signed the plan, before it was carried out. */
async function checkApprovals(stated, planned, entries, origin, findings) {
  const { request, plan } = stated;
  const listed = stated.entries;
  entryOf(entries, listed.executed, "request", request);
  const opened = member(entryOf(entries, listed.opened, "request", request), "details", "object");
  const details = member(planned, "details", "object");
  const own = [opened.opened_by, details.planned_by, details.signed_by].filter(Boolean);
  const barred = own.map((vkey) => hexOf(enrolledKey(vkey).publicKey));
  const text = bytesOf(`${APPROVAL}\n${origin}\nrequest ${request}\nplan ${plan}\n`);
  let approved = 0;
  for (const index of member(listed, "approved", "list")) {
    const given = member(entryOf(entries, index, "request", request), "details", "object");
    const key = enrolledKey(member(given, "vkey", "text"));
    if (!(listed.planned < index && index < listed.executed) || given.plan !== plan) {
      throw new CheckError(TAMPERED, CERTIFIED, `approval ${index} is of another plan, or came too late`);
    }
    const isApprover = holdersOf(entries, "approver", index).some((holder) => holder.vkey === given.vkey);
    if (!isApprover || barred.includes(hexOf(key.publicKey))) {
      throw new CheckError(TAMPERED, CERTIFIED, `approval ${index} is by no approver apart from who planned`);
    }
    if (!(await isApproval(given.scheme, key.publicKey, text, fromBase64(given.signature)))) {
      throw new CheckError(TAMPERED, CERTIFIED, `approval ${index} has a signature that does not verify`);
    }
    findings.count("approvals");
    approved += 1;
  }
  if (!approved) throw new CheckError(TAMPERED, CERTIFIED, "nobody else has approved the plan");
}

/** Whether a key has signed: as in a note (key ID, signature), or by OpenSSH (PROTOCOL.sshsig). */
async function isApproval(scheme, publicKey, text, kept) {
  if (scheme === "note") return ed25519Verifies(publicKey, text, kept.subarray(4));
  if (scheme !== "sshsig" || !startsWith(kept, SSH_START)) return false;
  const [key, namespace, reserved, hashName, made, end] = sshStrings(kept.subarray(10), 5);
  const [kind, signature, rest] = sshStrings(made, 2);
  const algorithm = lookup({ sha256: "SHA-256", sha512: "SHA-512" }, textOf(hashName), "");
  if (!algorithm) throw new Malformed("an unknown hash");
  const isOfKey = sameBytes(key, joined(sshString(SSH_KEY), sshString(publicKey)));
  if (end.length || rest.length || !sameBytes(kind, SSH_KEY) || !sameBytes(namespace, SSH_NAMESPACE) || !isOfKey) return false;
  const hashed = new Uint8Array(await crypto.subtle.digest(algorithm, text));
  return ed25519Verifies(publicKey, joined(bytesOf("SSHSIG"), ...[namespace, reserved, hashName, hashed].map(sshString)), signature);
}

function sshString(data) {
  return joined(u32(data.length), data);
}

/** So many length-prefixed strings, and what is left. */
function sshStrings(data, count) {
  const found = [];
  for (; found.length < count; ) {
    const length = data.length < 4 ? Infinity : new DataView(data.buffer, data.byteOffset).getUint32(0);
    if (data.length < 4 + length) throw new Malformed("a string is cut short");
    found.push(data.subarray(4, 4 + length));
    data = data.subarray(4 + length);
  }
  return [...found, data];
}

/** The entries that carried the plan out name it, and the people whom the certificate says were erased. */
function checkActs(stated, entries, findings) {
  const { request, plan } = stated;
  const [erasures, reseals] = [member(stated.entries, "erasure", "list"), member(stated.entries, "reseal", "list")];
  const named = new Set();
  for (const index of erasures) {
    const entry = entryOf(entries, index, "erasure", request);
    if (entry.plan !== plan) throw new CheckError(TAMPERED, CERTIFIED, `entry ${index} erased by another plan`);
    for (const subject of member(entry, "subjects", "list")) named.add(subject);
  }
  const erased = member(stated, "erased", "object");
  if (member(erased, "everywhere", "flag") && !member(stated, "subjects", "list").every((subject) => named.has(subject))) {
    throw new CheckError(TAMPERED, CERTIFIED, "names people whose keys no entry says were destroyed");
  }
  const redacted = reseals.reduce((sum, index) => sum + member(entryOf(entries, index, "reseal", request), "redacted", "list").length, 0);
  if (redacted !== erased.redacted) throw new CheckError(TAMPERED, CERTIFIED, "states another number of redacted records than the log");
  const backups = member(stated, "backups", "object");
  if (backups.entry !== null) {
    const epoch = entries.get(member(backups, "entry", "whole"))?.value.epoch ?? {};
    if (backups.entry < Math.max(-1, ...erasures) || epoch.unreadable_at !== backups.unreadable_at) {
      throw new CheckError(TAMPERED, CERTIFIED, "states another date for backups than the log");
    }
  }
  const looked = member(stated, "negative_check", "object");
  if (["opened", "found", "mentioned"].some((name) => member(looked, name, "whole") !== 0)) {
    throw new CheckError(UNVERIFIABLE, CERTIFIED, "the store itself still found something of what it erased");
  }
  findings.count("acts of erasure", erasures.length + reseals.length);
}

/** The checkpoint from before the erasure is continued by the one of now. */
async function checkBefore(bag, checkpoint, stated, findings) {
  const before = parseCheckpoint(await bag.read(BEFORE, MAX_SMALL));
  const acts = [...stated.entries.erasure, ...stated.entries.reseal];
  const claimed = { root: hexOf(before.root), size: before.size };
  if (!sameValue(stated.before ?? null, claimed) || before.origin !== checkpoint.origin || acts.some((act) => act < before.size)) {
    throw new CheckError(TAMPERED, BEFORE, "is not the checkpoint from before the erasure");
  }
  if (before.size < checkpoint.size) {
    const hashes = member(canonical(await bag.read(BEFORE_PROOF, MAX_SMALL)), "hashes", "list").map((text) => fromHex(text));
    if (!isConsistent(before.size, before.root, checkpoint.size, checkpoint.root, hashes)) {
      throw new CheckError(TAMPERED, BEFORE_PROOF, "does not lead from the earlier checkpoint to this one");
    }
  }
  findings.count("consistency with the time before");
}
