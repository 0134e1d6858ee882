/* The exporter's own statement over the manifest: in-toto in a DSSE envelope, by a key that the log enrols for bundles. */

const ATTESTATION = "attestation.dsse.json";
const PAYLOAD_TYPE = "application/vnd.in-toto+json";

async function checkAttestation(bag, statement, entries, findings) {
  if (!bag.has(ATTESTATION)) throw new CheckError(TAMPERED, ATTESTATION, "is missing: nobody says that they made this bundle");
  const envelope = canonical(await bag.read(ATTESTATION, MAX_SMALL));
  const payload = fromBase64(member(envelope, "payload", "text"));
  const type = member(envelope, "payloadType", "text");
  if (type !== PAYLOAD_TYPE) throw new CheckError(TAMPERED, ATTESTATION, "is not of the type of such statements");
  const signed = joined(bytesOf(`DSSEv1 ${bytesOf(type).length} ${type} ${payload.length} `), payload);
  const keys = holdersOf(entries, "bundle", Infinity).map(parseKey);
  let isSigned = false;
  for (const one of member(envelope, "signatures", "list")) {
    const key = keys.find((candidate) => candidate.id === member(one, "keyid", "text"));
    isSigned ||= key !== undefined && (await ed25519Verifies(key.publicKey, signed, fromBase64(member(one, "sig", "text"))));
  }
  if (!isSigned) throw new CheckError(TAMPERED, ATTESTATION, "is signed by no key that the log enrols for bundles");
  const digest = hexOf(sha256(await bag.read(PAYLOAD, MAX_MANIFEST)));
  const subject = [{ name: PAYLOAD, digest: { sha256: digest } }];
  const value = canonical(payload);
  if (value._type !== "https://in-toto.io/Statement/v1" || !sameValue(value.subject ?? null, subject)) {
    throw new CheckError(TAMPERED, ATTESTATION, "is about another manifest");
  }
  const predicate = member(value, "predicate", "object");
  const names = ["checkpoint", "completeness", "content", "origin", "selection"];
  if (value.predicateType !== "urn:evidence:bundle:2" || !names.every((name) => sameValue(predicate[name] ?? null, statement[name]))) {
    throw new CheckError(TAMPERED, ATTESTATION, "says other things than the bundle");
  }
  findings.count("attestations");
}
