/* The exporter's own statement over the manifest: in-toto in a DSSE envelope, by a key that the log enrols for bundles. */

const ATTESTATION = "attestation.dsse.json";
const ATTESTED = ["checkpoint", "completeness", "content", "origin", "selection"];
const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/** Checks the envelope, and returns who has signed it. */
async function checkAttestation(bag, statement, entries, findings) {
  if (!bag.has(ATTESTATION)) {
    throw new CheckError(TAMPERED, ATTESTATION, "is missing from the bundle: nobody vouches for the files as a whole");
  }
  const envelope = jsonObject(await bag.read(ATTESTATION, MAX_SMALL));
  const payload = fromBase64(member(envelope, "payload", "text"));
  const type = member(envelope, "payloadType", "text");
  const signed = joined(bytesOf(`DSSEv1 ${bytesOf(type).length} ${type} ${payload.length} `), payload);
  const keys = new Map(holdersOf(entries, "bundle").map((key) => [key.id, key]));
  const signatures = member(envelope, "signatures", "list").slice(0, 64);
  const known = signatures.map((one) => ({ key: keys.get(member(one, "keyid", "text")), signature: fromBase64(one.sig) })).filter(({ key }) => key);
  if (!known.length) throw new CheckError(TAMPERED, ATTESTATION, "is signed by no key that the log enrols for bundles");
  for (const { key, signature } of known) {
    if (!(await ed25519Verifies(key.publicKey, signed, signature))) {
      throw new CheckError(TAMPERED, ATTESTATION, "has a signature that does not verify");
    }
  }
  const stated = jsonObject(payload);
  const subject = [{ digest: { sha256: hexOf(sha256(await bag.read(MANIFEST, MAX_LIST))) }, name: MANIFEST }];
  if (type !== PAYLOAD_TYPE || stated._type !== "https://in-toto.io/Statement/v1" || !sameValue(stated.subject ?? null, subject)) {
    throw new CheckError(TAMPERED, ATTESTATION, `is not about this ${MANIFEST}`);
  }
  const predicate = member(stated, "predicate", "object");
  const isSame = (name) => sameValue(predicate[name] ?? null, statement[name] ?? null);
  if (stated.predicateType !== "urn:evidence:bundle:2" || !ATTESTED.every(isSame)) {
    throw new CheckError(TAMPERED, ATTESTATION, `says something else than ${STATEMENT}`);
  }
  findings.count("signatures");
  return `by the bundle key ${known[0].key.name}+${known[0].key.id}`;
}

/** A JSON object in any spelling: what is signed here are its bytes. */
function jsonObject(data) {
  try {
    const value = JSON.parse(textOf(data));
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Malformed("no JSON object");
}
