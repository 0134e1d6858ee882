/* SHA-256 and HMAC-SHA256 without waiting: a bundle has hundreds of thousands of hashes of a few bytes, for which a call
   of WebCrypto each would take longer than the hashing. Before anything is verified it is compared with WebCrypto. */

const SHA256_START = new Uint32Array(8);
const SHA256_ROUNDS = new Uint32Array(64);
(() => {
  // FIPS 180-4: fractional parts of the square and cube roots of the first primes.
  const fraction = (number) => Math.floor((number - Math.floor(number)) * 2 ** 32);
  let found = 0;
  for (let candidate = 2; found < 64; candidate += 1) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= candidate; factor += 1) isPrime &&= candidate % factor !== 0;
    if (!isPrime) continue;
    if (found < 8) SHA256_START[found] = fraction(Math.sqrt(candidate));
    SHA256_ROUNDS[found] = fraction(Math.cbrt(candidate));
    found += 1;
  }
})();
const SHA256_SCHEDULE = new Uint32Array(64);

/** One block of 64 bytes into the state. */
function compress(state, data, at) {
  const w = SHA256_SCHEDULE;
  const k = SHA256_ROUNDS;
  for (let i = 0; i < 16; i += 1, at += 4) {
    w[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
  }
  for (let i = 16; i < 64; i += 1) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let a = state[0] | 0, b = state[1] | 0, c = state[2] | 0, d = state[3] | 0;
  let e = state[4] | 0, f = state[5] | 0, g = state[6] | 0, h = state[7] | 0;
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0;
    d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/** A hash that takes its bytes piece by piece. */
class Sha256 {
  constructor() {
    this.state = Uint32Array.from(SHA256_START);
    this.rest = new Uint8Array(64);
    this.size = 0;
  }

  update(data) {
    let at = 0;
    const held = this.size & 63;
    this.size += data.length;
    if (held) {
      at = Math.min(64 - held, data.length);
      this.rest.set(data.subarray(0, at), held);
      if (held + at < 64) return this;
      compress(this.state, this.rest, 0);
    }
    for (; at + 64 <= data.length; at += 64) compress(this.state, data, at);
    this.rest.set(data.subarray(at));
    return this;
  }

  digest() {
    const held = this.size & 63;
    const end = new Uint8Array(held < 56 ? 64 : 128);
    end.set(this.rest.subarray(0, held));
    end[held] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(this.size / 2 ** 29));
    view.setUint32(end.length - 4, (this.size * 8) >>> 0);
    for (let at = 0; at < end.length; at += 64) compress(this.state, end, at);
    const found = new Uint8Array(32);
    const out = new DataView(found.buffer);
    this.state.forEach((word, at) => out.setUint32(at * 4, word));
    return found;
  }
}

function sha256(...pieces) {
  const hash = new Sha256();
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

function hmacSha256(key, message) {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(block.map((byte) => byte ^ 0x36), message);
  return sha256(block.map((byte) => byte ^ 0x5c), inner);
}

/** Whether this hash is that of WebCrypto, at lengths around the ends of blocks. */
async function sha256IsRight() {
  const data = Uint8Array.from({ length: 1000 }, (_, at) => (at * 31 + 7) & 255);
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000]) {
    const piece = data.slice(0, length);
    const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", piece));
    if (!sameBytes(sha256(piece), expected) || !sameBytes(sha256(piece.subarray(0, 9), piece.subarray(9)), expected)) {
      return false;
    }
  }
  return true;
}
