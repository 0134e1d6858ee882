/* Bytes and their encodings: each has one accepted spelling. What has another throws Malformed. */

class Malformed extends Error {}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The text that the bytes are in UTF-8. */
function textOf(bytes) {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new Malformed("not UTF-8");
  }
}

function bytesOf(text) {
  return ENCODER.encode(text);
}

function hexOf(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** So many bytes as lower-case hex; 32 where nothing is said. */
function fromHex(text, size = 32) {
  if (typeof text !== "string" || text.length !== size * 2 || !/^[0-9a-f]*$/.test(text)) throw new Malformed("not hex");
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) bytes[at] = (digit(text, at * 2) << 4) | digit(text, at * 2 + 1);
  return bytes;
}

function digit(text, at) {
  const code = text.charCodeAt(at);
  return code < 58 ? code - 48 : code - 87;
}

/** Standard base64 in its canonical spelling. */
function fromBase64(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Malformed("not base64");
  let packed;
  try {
    packed = atob(text);
  } catch {
    throw new Malformed("not base64");
  }
  if (btoa(packed) !== text) throw new Malformed("not canonical base64");
  return Uint8Array.from(packed, (character) => character.charCodeAt(0));
}

/** A table's value by a name that a bundle may have chosen: "constructor" is in no table. */
function lookup(table, name, otherwise) {
  return Object.hasOwn(table, name) ? table[name] : otherwise;
}

function sameBytes(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function joined(...pieces) {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function u32(number) {
  return new Uint8Array([number >>> 24, number >>> 16, number >>> 8, number]);
}
