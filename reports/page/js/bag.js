/* The BagIt manifests (RFC 8493): every file has the SHA-256 that a manifest states, none is missing, none is added. */

const MANIFEST = "manifest-sha256.txt";
const TAG_MANIFEST = "tagmanifest-sha256.txt";
const MAX_SMALL = 2 ** 20;
const MAX_LIST = 64 * 2 ** 20;
const BAG_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const BESIDE = ["bagit.txt", "bag-info.txt", "attestation.dsse.json", "attestation.tsr", MANIFEST];

/** What each manifest lists. `isEmbedded`: the bag comes in a page, without tagmanifest and what stands beside it. */
async function readManifests(bag, findings, isEmbedded) {
  const sums = new Map();
  for (const manifest of isEmbedded ? [MANIFEST] : [MANIFEST, TAG_MANIFEST]) {
    const listed = await findings.guard(manifest, async () => listedIn(await bag.read(manifest, MAX_LIST), manifest));
    if (!listed) continue;
    sums.set(manifest, listed);
    for (const name of bag.names) {
      const isOfThis = name.startsWith("data/") === (manifest === MANIFEST);
      if (isOfThis && !listed.has(name) && name !== TAG_MANIFEST) findings.add(TAMPERED, name, `is not listed in ${manifest}`);
    }
  }
  for (const name of isEmbedded ? bag.names : []) {
    if (!name.startsWith("data/") && !BESIDE.includes(name)) findings.add(TAMPERED, name, "has no place in a page");
  }
  await findings.guard("bagit.txt", async () => {
    if (textOf(await bag.read("bagit.txt", MAX_SMALL)) !== BAG_DECLARATION) {
      throw new CheckError(TAMPERED, "bagit.txt", "is not the declaration of a bag");
    }
  });
  return sums;
}

/** Names and digests of a manifest, in its one spelling: sorted, each once, `<hex>  <name>`. */
function listedIn(data, manifest) {
  const listed = new Map();
  let before = "";
  for (const [at, line] of textOf(data).split("\n").slice(0, -1).entries()) {
    const found = /^([0-9a-f]{64}) {2}([!-~]+)$/.exec(line);
    if (!found || !mayList(manifest, found[2]) || found[2] <= before) {
      throw new CheckError(TAMPERED, `${manifest}, line ${at + 1}`, "lists no file of a bundle, or is out of order");
    }
    before = found[2];
    listed.set(found[2], found[1]);
  }
  if (data[data.length - 1] !== 10) throw new CheckError(TAMPERED, manifest, "has no newline at its end");
  return listed;
}

function mayList(manifest, name) {
  return NAME.test(name) && name.startsWith("data/") === (manifest === MANIFEST) && name !== TAG_MANIFEST;
}

/** Every file that is listed is there with this sum. */
async function checkFiles(bag, sums, findings, work) {
  for (const [manifest, listed] of sums) {
    let done = 0;
    for (const [name, digest] of listed) {
      await work.at("Files against their SHA-256", done / listed.size);
      done += 1;
      await findings.guard(name, async () => {
        const data = await bag.read(name);
        const hash = new Sha256();
        for (let at = 0; at < data.length; at += 2 ** 18) {
          hash.update(data.subarray(at, at + 2 ** 18));
          await work.pace();
        }
        if (hexOf(hash.digest()) !== digest) throw new CheckError(TAMPERED, name, `has another SHA-256 than ${manifest} states`);
        findings.count("files");
        findings.count("bytes", data.length);
      });
    }
  }
}

/** What the bag says of itself: the checkpoint that it is of, and how many bytes and files it holds. */
async function checkBagInfo(bag, checkpoint) {
  const stated = new Map();
  for (const line of textOf(await bag.read("bag-info.txt", MAX_SMALL)).split("\n").slice(0, -1)) {
    const cut = line.indexOf(": ");
    const label = line.slice(0, cut);
    if (cut < 0 || stated.has(label)) throw new CheckError(TAMPERED, "bag-info.txt", "is malformed");
    stated.set(label, line.slice(cut + 2));
  }
  const payload = bag.names.filter((name) => name.startsWith("data/"));
  const octets = payload.reduce((sum, name) => sum + bag.size(name), 0);
  const expected = { "External-Identifier": `${checkpoint.origin}@${checkpoint.size}`, "Payload-Oxum": `${octets}.${payload.length}` };
  for (const [label, value] of Object.entries(expected)) {
    if (stated.get(label) !== value) throw new CheckError(TAMPERED, "bag-info.txt", `states another ${label} than the bundle has`);
  }
}
