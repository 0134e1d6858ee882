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
    for (const key of holdersOf(bundle.entries, "bundle")) isSigned = (await isSignedBy(note, key, "grant")) || isSigned;
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
      const key = fromBase64(member(grant.keys, row.record, "text"));
      const plain = await unsealed(row, key, salt, where);
      // AES-GCM does not commit to its key: without this, one content could be sealed under two keys.
      if (!sameBytes(recordKey(salt, row.record, plain.subarray(0, 32)), key)) {
        throw new CheckError(TAMPERED, where, "opens with another key than the one that follows from its content");
      }
      const partsEnd = plain.length < 36 ? Infinity : 36 + new DataView(plain.buffer, 32).getUint32(0);
      if (partsEnd > plain.length) throw new Malformed("cut short");
      const parts = partsOfSealed(plain.subarray(36, partsEnd));
      const claims = verbatimIn(parts).map((part) => ({ where, part }));
      checkCommitment(row, plain.subarray(0, 32), plain.subarray(partsEnd), where, new Map([[row.record, claims]]), findings);
      for (const event of bundle.replay) if (event.record === row.record) event.parts = parts;
      opened += 1;
    });
  }
  return opened;
}

function partsOfSealed(data) {
  const value = canonicalText(`{"parts":${textOf(data)}}`);
  return member(value, "parts", "list");
}

/** HKDF-SHA256, one block: the key of one record in one export. */
function recordKey(reference, record, rowKey) {
  const extracted = hmacSha256(fromHex(reference, 16), rowKey);
  return hmacSha256(extracted, joined(bytesOf("evidence/v1/export"), fromHex(record), new Uint8Array([1])));
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
