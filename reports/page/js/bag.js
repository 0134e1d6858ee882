/* The BagIt manifests (RFC 8493): every file has the SHA-256 that a manifest states, none is missing, none is added. */

const PAYLOAD = "manifest-sha256.txt";
const TAGS = "tagmanifest-sha256.txt";
const STATEMENT = "data/bundle.json";
const MAX_SMALL = 2 ** 20;
const MAX_MANIFEST = 64 * 2 ** 20;
const BUNDLE = "evidence/bundle/2";
const CERTIFICATE = "evidence/certificate/1";
const BAG_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/** Names and digests of a manifest, in its one spelling: sorted, each once, `<hex>  <name>`. */
function parseManifest(data, name) {
  const listed = new Map();
  let before = "";
  const lines = textOf(data).split("\n");
  if (lines.pop() !== "") throw new CheckError(TAMPERED, name, "has no newline at its end");
  for (const line of lines) {
    const found = /^([0-9a-f]{64}) {2}([!-~]+)$/.exec(line);
    if (!found || found[2] <= before || !NAME.test(found[2]) || found[2].startsWith("data/") !== (name === PAYLOAD)) {
      throw new CheckError(TAMPERED, name, "lists a file that a bundle cannot have, or one twice");
    }
    before = found[2];
    listed.set(found[2], found[1]);
  }
  return listed;
}

/** Every file against the manifests. `isEmbedded`: the bag comes in a page, without the files that stand beside it. */
async function checkFiles(bag, findings, work, isEmbedded) {
  const listed = parseManifest(await bag.read(PAYLOAD, MAX_MANIFEST), PAYLOAD);
  const known = new Set([PAYLOAD, TAGS]);
  let octets = 0;
  const total = Math.max(1, listed.size);
  for (const [name, digest] of listed) {
    await work.at("Files against their SHA-256", known.size / total);
    known.add(name);
    octets += bag.size(name);
    await findings.guard(name, () => checkFile(bag, name, digest, findings, work));
  }
  await findings.guard("bag-info.txt", () => checkInfo(bag, octets, listed.size));
  if (!isEmbedded) {
    const tags = await findings.guard(TAGS, async () => parseManifest(await bag.read(TAGS, MAX_MANIFEST), TAGS));
    for (const [name, digest] of tags ?? []) {
      known.add(name);
      await findings.guard(name, () => checkFile(bag, name, digest, findings, work));
    }
  }
  const beside = ["bagit.txt", "bag-info.txt", "attestation.dsse.json", "attestation.tsr"];
  for (const name of bag.names) {
    if (!known.has(name) && !(isEmbedded && beside.includes(name))) findings.add(TAMPERED, name, "is listed in no manifest");
  }
}

async function checkFile(bag, name, digest, findings, work) {
  const data = await bag.read(name);
  const hash = new Sha256();
  for (let at = 0; at < data.length; at += 2 ** 18) {
    hash.update(data.subarray(at, at + 2 ** 18));
    await work.pace();
  }
  if (hexOf(hash.digest()) !== digest) throw new CheckError(TAMPERED, name, "has another SHA-256 than its manifest states");
  findings.count("files");
  findings.count("bytes", data.length);
}

async function checkInfo(bag, octets, files) {
  if (textOf(await bag.read("bagit.txt", MAX_SMALL)) !== BAG_DECLARATION) {
    throw new CheckError(TAMPERED, "bagit.txt", "is not that of a BagIt 1.0 bag");
  }
  const info = textOf(await bag.read("bag-info.txt", MAX_SMALL)).split("\n");
  if (!info.includes(`Payload-Oxum: ${octets}.${files}`)) {
    throw new CheckError(TAMPERED, "bag-info.txt", "states another number of bytes or files than the bundle holds");
  }
}

/** data/bundle.json. */
async function readStatement(bag) {
  const statement = canonical(await bag.read(STATEMENT, MAX_MANIFEST));
  if (![BUNDLE, CERTIFICATE].includes(statement._)) {
    throw new CheckError(UNVERIFIABLE, STATEMENT, "is not of a version that this program knows");
  }
  return statement;
}
