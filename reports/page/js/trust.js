/* The checkpoint, the key that the auditor holds, and their pin. What came with the bundle is never trusted. */

const CHECKPOINT = "data/checkpoint";
const HINT = "data/log.vkey";
const POLICY = "data/policy";
const CONSISTENCY = "data/consistency.json";

/** What the checkpoint is worth: { grade, isTrusted }, with findings. Throws CheckError where a signature is wrong. */
async function checkTrust(bag, checkpoint, keys, pin, findings) {
  // Beside a key, a pin is memory and no authority: one handed over with the bundle would bring its forger's key.
  const trusted = keys.length ? keys : pin ? [pin.key] : [];
  const isForeign = pin !== null && !trusted.some((key) => key.vkey === pin.key.vkey);
  if (isForeign) findings.add(UNVERIFIABLE, "pin", "is not signed by the key that you gave; it counts for nothing");
  await findings.guard(HINT, () => checkHint(bag, checkpoint, trusted.length ? TAMPERED : UNVERIFIABLE));
  let isSigned = false;
  for (const key of trusted) isSigned = (await isSignedByLog(checkpoint, key)) || isSigned;
  if (isSigned) {
    findings.count("signatures");
    const isPinned = !isForeign && (await findings.guard(CHECKPOINT, () => checkPin(bag, checkpoint, pin, findings)));
    const grade = isPinned ? "pinned: continues the checkpoint that you verified before" : "signed by the key that you gave";
    return { grade, isTrusted: true };
  }
  if (trusted.length) {
    const names = [...new Set(checkpoint.signatures.map((one) => one.name))].sort(byCodePoint).join(", ");
    findings.add(UNVERIFIABLE, CHECKPOINT, `no key that you gave has signed it; it names as signer: ${names}`);
  } else {
    const reason = "no key or pin was given: a key inside a bundle proves nothing, since a forger would put in their own";
    findings.add(UNVERIFIABLE, CHECKPOINT, reason);
  }
  return { grade: "untrusted", isTrusted: false };
}

async function isSignedByLog(checkpoint, key) {
  return (await isSignedBy(checkpoint, key, CHECKPOINT)) && key.name === checkpoint.origin;
}

/** The key and the policy that came with the bundle are of this checkpoint. Nothing is trusted for their sake. */
async function checkHint(bag, checkpoint, verdict) {
  const hint = textOf(await bag.read(HINT, MAX_SMALL));
  let isSigned = false;
  try {
    isSigned = await isSignedByLog(checkpoint, parseKey(hint));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
  if (!isSigned || hint !== `${hint.trim()}\n`) throw new CheckError(verdict, HINT, "is not the key that signed the checkpoint");
  if (!sameBytes(await bag.read(POLICY, MAX_SMALL), bytesOf(`log ${hint}quorum none\n`))) {
    throw new CheckError(TAMPERED, POLICY, `is not that of ${HINT} alone`);
  }
}

async function checkPin(bag, checkpoint, pin, findings) {
  if (!pin) throw new CheckError(UNPINNED, CHECKPOINT, "no pin was given: a second history would not be noticed");
  const old = pin.checkpoint;
  if (old.origin !== checkpoint.origin) throw new CheckError(UNVERIFIABLE, CHECKPOINT, "is of another log than the pin");
  if (old.size > checkpoint.size) {
    throw new CheckError(STALE, CHECKPOINT, "is older than the pin; that both are of one history is not shown");
  }
  if (old.size < checkpoint.size) await checkConsistency(bag, old, checkpoint);
  else if (!sameBytes(old.root, checkpoint.root)) {
    throw new CheckError(TAMPERED, CHECKPOINT, "forked: one key signed two histories of the pinned size");
  }
  findings.count("consistency with the pin");
  return true;
}

async function checkConsistency(bag, old, checkpoint) {
  const proof = bag.has(CONSISTENCY) ? canonical(await bag.read(CONSISTENCY, MAX_SMALL)) : { from: 0 };
  if (proof.from !== old.size || proof.to !== checkpoint.size) {
    throw new CheckError(STALE, CHECKPOINT, "is newer than the pin; the bundle has no proof that it continues it");
  }
  const hashes = member(proof, "hashes", "list").map((text) => fromHex(text));
  if (!isConsistent(old.size, old.root, checkpoint.size, checkpoint.root, hashes)) {
    throw new CheckError(TAMPERED, CONSISTENCY, "does not lead from the pin to the checkpoint");
  }
}
