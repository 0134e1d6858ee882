/* Content that is sealed in the bundle, and the grant that opens it: fetched apart, signed by a key that the log enrols
   for bundles, and good until its end. */

const MAX_GRANT = 32 * 2 ** 20;

/** The grant for this bundle. Throws UsageError where it is none, of another bundle, unsigned or expired. */
async function readGrant(data, bundle, now) {
  let grant;
  try {
    const note = splitNote(data);
    const [kind, origin, text] = textOf(note.text).split("\n");
    grant = canonicalText(text ?? "");
    if (kind !== "evidence/grant/1" || grant._ !== kind || origin !== grant.origin) throw new Malformed("no grant");
    if (origin !== bundle.checkpoint.origin || grant.export !== bundle.statement.export) {
      throw new UsageError("This grant is for another export.");
    }
    let isSigned = false;
    for (const vkey of holdersOf(bundle.entries, "bundle", Infinity)) {
      isSigned = (await isSignedBy(note, parseKey(vkey), "grant")) || isSigned;
    }
    if (!isSigned) throw new UsageError("This grant is signed by no key that the log enrols for bundles.");
    if (!(Date.parse(member(grant, "expires_at", "text")) > now)) throw new UsageError("This grant has expired.");
    member(grant, "keys", "object");
  } catch (error) {
    if (error instanceof Malformed) throw new UsageError("This is no grant.");
    if (error instanceof CheckError) throw new UsageError(`This grant is not good: ${error.reason}.`);
    throw error;
  }
  return grant;
}

/** Open what the grant has keys for: each row's content, and its parts of the replay. */
async function openSealed(bundle, grant, findings, work) {
  const salt = bundle.statement.export;
  let opened = 0;
  for (const [at, row] of bundle.shown.entries()) {
    if (!row.sealed || !Object.hasOwn(grant.keys, row.record)) continue;
    if (work.isDue) await work.at("Opening sealed content", at / bundle.shown.length);
    const where = rowIn(CONTENT, row);
    await findings.guard(where, async () => {
      const plain = await unsealed(row, fromBase64(member(grant.keys, row.record, "text")), salt, where);
      const partsEnd = 36 + new DataView(plain.buffer, plain.byteOffset + 32).getUint32(0);
      const parts = JSON.parse(textOf(plain.subarray(36, partsEnd)));
      checkCommitment(row, plain.subarray(0, 32), plain.subarray(partsEnd), where, findings);
      for (const part of parts) checkPart(part, row, where);
      for (const event of bundle.replay) if (event.record === row.record) event.parts = parts;
      opened += 1;
    });
  }
  return opened;
}

async function unsealed(row, rawKey, reference, where) {
  const key = await crypto.subtle.importKey("raw", rawKey, "AES-GCM", false, ["decrypt"]);
  const context = bytesOf(`evidence/sealed/1\n${reference}\n${row.record}`);
  try {
    const settings = { name: "AES-GCM", iv: row.sealed.slice(0, 12), additionalData: context };
    return new Uint8Array(await crypto.subtle.decrypt(settings, key, row.sealed.slice(12)));
  } catch {
    throw new CheckError(TAMPERED, where, "does not open with the grant's key");
  }
}
