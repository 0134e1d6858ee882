/* The checkpoint, the key that the auditor holds, and their pin. What came with the bundle is never trusted. */

/** What the checkpoint is worth: { grade, isTrusted }, with findings. Throws CheckError where a signature is wrong. */
async function checkTrust(bag, checkpoint, keys, pin, findings) {
  // Beside a key, a pin is memory and no authority: one handed over with the bundle would bring its forger's key.
  const trusted = keys.length ? keys : pin ? [pin.key] : [];
  const isForeign = pin !== null && !trusted.some((key) => key.vkey === pin.key.vkey);
  if (isForeign) findings.add(UNVERIFIABLE, "pin", "is not signed by the key that you gave; it counts for nothing");
  let isSigned = false;
  for (const key of trusted) {
    isSigned = ((await isSignedBy(checkpoint, key, "data/checkpoint")) && key.name === checkpoint.origin) || isSigned;
  }
  if (isSigned) {
    findings.count("signatures");
    const isPinned = !isForeign && (await findings.guard("data/checkpoint", () => checkPin(bag, checkpoint, pin, findings)));
    const grade = isPinned ? "pinned: continues the checkpoint that you verified before" : "signed by the key that you gave";
    return { grade, isTrusted: true };
  }
  if (trusted.length) {
    const names = [...new Set(checkpoint.signatures.map((one) => one.name))].sort().join(", ");
    findings.add(UNVERIFIABLE, "data/checkpoint", `no key that you gave has signed it; it names as signer: ${names}`);
    return { grade: "untrusted", isTrusted: false };
  }
  const reason = "no key or pin was given: a key inside a bundle proves nothing, since a forger would put in their own";
  findings.add(UNVERIFIABLE, "data/checkpoint", reason);
  await checkHint(bag, checkpoint, findings);
  return { grade: "untrusted", isTrusted: false };
}

/** The key that came with the bundle: it must at least be the one that signed. */
async function checkHint(bag, checkpoint, findings) {
  await findings.guard("data/log.vkey", async () => {
    let key;
    try {
      key = parseKey(textOf(await bag.read("data/log.vkey", MAX_SMALL)));
    } catch (error) {
      if (error instanceof UsageError) return;
      throw error;
    }
    if (!((await isSignedBy(checkpoint, key, "data/checkpoint")) && key.name === checkpoint.origin)) {
      findings.add(UNVERIFIABLE, "data/log.vkey", "is not the key that signed the checkpoint");
    }
  });
}

async function checkPin(bag, checkpoint, pin, findings) {
  const where = "data/checkpoint";
  if (!pin) throw new CheckError(UNPINNED, where, "no pin was given: a second history would not be noticed");
  const old = pin.checkpoint;
  if (old.origin !== checkpoint.origin) throw new CheckError(UNVERIFIABLE, where, "is of another log than the pin");
  if (old.size > checkpoint.size) {
    throw new CheckError(STALE, where, "is older than the pin; that both are of one history is not shown");
  }
  if (old.size < checkpoint.size) await checkConsistency(bag, old, checkpoint);
  else if (!sameBytes(old.root, checkpoint.root)) {
    throw new CheckError(TAMPERED, where, "forked: one key signed two histories of the pinned size");
  }
  findings.count("consistency with the pin");
  return true;
}

async function checkConsistency(bag, old, checkpoint) {
  const where = "data/consistency.json";
  const proof = bag.has(where) ? canonical(await bag.read(where, MAX_SMALL)) : { from: 0 };
  if (proof.from !== old.size || proof.to !== checkpoint.size) {
    throw new CheckError(STALE, "data/checkpoint", "is newer than the pin; the bundle has no proof that it continues it");
  }
  const hashes = member(proof, "hashes", "list").map((text) => fromHex(text));
  if (!isConsistent(old.size, old.root, checkpoint.size, checkpoint.root, hashes)) {
    throw new CheckError(TAMPERED, where, "does not lead from the pin to the checkpoint");
  }
}
