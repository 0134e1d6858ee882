/* Keys, signed notes, checkpoints, pins, proofs of the log: C2SP signed-note, tlog-checkpoint, tlog-proof. */

class UsageError extends Error {}

/* Ed25519 as verify.py does it: WebCrypto, less keys that are not the one encoding of a point, or of small order. */

const FIELD = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const SMALL_ORDER_Y = new Set([
  0n, 1n, FIELD - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d7c6a17c7n,
]);

function littleEndian(bytes) {
  return BigInt(`0x${hexOf(Uint8Array.from(bytes).reverse())}`);
}

async function ed25519Verifies(publicKey, message, signature) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const y = littleEndian(publicKey) & (2n ** 255n - 1n);
  if (y >= FIELD || SMALL_ORDER_Y.has(y) || littleEndian(signature.subarray(32)) >= ORDER) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
  } catch (error) {
    if (error.name === "NotSupportedError") throw error;
    return false; // no point of the curve
  }
}

/** Why this browser cannot verify, or an empty text. Asked once, before anything else. */
async function unableReason() {
  if (!globalThis.crypto?.subtle) return "This browser offers no WebCrypto to pages opened from disk.";
  try {
    // RFC 8032, section 7.1, test 1.
    const key = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    const signature = fromHex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      64,
    );
    if (!(await ed25519Verifies(key, new Uint8Array(0), signature))) return "This browser verifies Ed25519 wrongly.";
    if (await ed25519Verifies(key, new Uint8Array(1), signature)) return "This browser verifies Ed25519 wrongly.";
  } catch {
    return "This browser has no Ed25519 in WebCrypto: Chrome and Edge have it since 137, Firefox since 129, Safari since 17.";
  }
  if (typeof DecompressionStream === "undefined") return "This browser cannot unpack deflated data.";
  return (await sha256IsRight()) ? "" : "This browser computes SHA-256 wrongly.";
}

/** `name+ID+base64(0x01 || public key)`. Throws UsageError. */
function parseKey(text) {
  const [name, id, ...rest] = text.trim().split("+");
  try {
    const data = fromBase64(rest.join("+"));
    const keyId = sha256(bytesOf(`${name}\n`), data).subarray(0, 4);
    if (!name || data.length !== 33 || data[0] !== 1 || id !== hexOf(keyId)) throw new Malformed("no Ed25519 key");
    return { name, id, publicKey: data.subarray(1), vkey: text.trim() };
  } catch (error) {
    if (error instanceof Malformed) throw new UsageError("Not a public key of the form name+ID+base64.");
    throw error;
  }
}

/** The text of a signed note as bytes, and its signatures. */
function splitNote(data) {
  let cut = data.length - 2;
  while (cut >= 0 && !(data[cut] === 10 && data[cut + 1] === 10)) cut -= 1;
  if (cut < 0) throw new Malformed("no signed note");
  const tail = textOf(data.subarray(cut + 2));
  const lines = tail.split("\n");
  if (lines.pop() !== "" || !lines.length || lines.length > 64) throw new Malformed("no signed note");
  const signatures = lines.map((line) => {
    const words = line.split(" ");
    const blob = fromBase64(words[2]);
    if (words.length !== 3 || words[0] !== "\u2014" || !words[1] || blob.length <= 4) throw new Malformed("no signature");
    return { name: words[1], id: hexOf(blob.subarray(0, 4)), signature: blob.subarray(4) };
  });
  return { text: data.subarray(0, cut + 1), signatures };
}

/** Whether this key has signed. Throws CheckError if the note says so and the signature does not verify. */
async function isSignedBy(note, key, where) {
  const found = note.signatures.filter((one) => one.name === key.name && one.id === key.id);
  for (const one of found) {
    if (!(await ed25519Verifies(key.publicKey, note.text, one.signature))) {
      throw new CheckError(TAMPERED, where, `the signature by ${key.name} does not verify`);
    }
  }
  return found.length > 0;
}

/** A signed checkpoint, of which nothing is verified yet. */
function parseCheckpoint(data) {
  const note = splitNote(data);
  const [origin, size, root] = textOf(note.text).split("\n");
  if (!origin || !/^[1-9][0-9]{0,14}$/.test(size ?? "") || fromBase64(root ?? "").length !== 32) {
    throw new Malformed("no checkpoint");
  }
  return { ...note, origin, size: Number(size), root: fromBase64(root), data };
}

/** The pin that `evidence verify --pin` writes. Throws UsageError. */
async function parsePin(data) {
  try {
    const value = canonical(data[data.length - 1] === 10 ? data.subarray(0, -1) : data);
    const key = parseKey(member(value, "vkey", "text"));
    const checkpoint = parseCheckpoint(bytesOf(member(value, "checkpoint", "text")));
    const signed = (await isSignedBy(checkpoint, key, "pin")) && key.name === checkpoint.origin;
    if (value._ === "evidence/pin/1" && signed) return { key, checkpoint };
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof CheckError || error instanceof UsageError)) throw error;
  }
  throw new UsageError("Not a pin of a known version, signed by its own key.");
}

/** A tlog-proof file: its index, hashes, checkpoint and extra. Nothing is verified yet. */
function parseTlogProof(data) {
  let cut = 0;
  while (cut + 1 < data.length && !(data[cut] === 10 && data[cut + 1] === 10)) cut += 1;
  const lines = textOf(data.subarray(0, cut)).split("\n");
  if (lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Malformed("no tlog-proof");
  const extra = lines[0]?.startsWith("extra ") ? fromBase64(lines.shift().slice(6)) : undefined;
  const index = /^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? "");
  if (!index || lines.length > 63 || extra?.length === 0) throw new Malformed("no tlog-proof");
  const hashes = lines.map(fromBase64);
  if (hashes.some((hash) => hash.length !== 32)) throw new Malformed("no tlog-proof");
  return { index: Number(index[1]), hashes, checkpoint: data.subarray(cut + 2), extra };
}
