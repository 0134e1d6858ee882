/* The Merkle tree of RFC 9162, section 2.1. Hashes are arrays of 32 bytes. */

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

function leafHash(data) {
  return sha256(LEAF, data);
}

function nodeHash(left, right) {
  return sha256(NODE, left, right);
}

/** The root over at least one leaf hash; an odd last node moves up as it is. */
async function rootOf(hashes, work) {
  let level = hashes;
  while (level.length > 1) {
    const above = [];
    for (let at = 0; at + 1 < level.length; at += 2) {
      above.push(nodeHash(level[at], level[at + 1]));
      if ((at & 511) === 0) await work.pace();
    }
    if (level.length % 2) above.push(level[level.length - 1]);
    level = above;
  }
  return level[0];
}

// Indices and sizes can be larger than 32 bits, which is all that bitwise operators keep: BigInt has no such end.
function bitLength(number) {
  return number ? number.toString(2).length : 0;
}

function onesIn(number) {
  return number.toString(2).replaceAll("0", "").length;
}

/** Section 2.1.3.2: the root that the audit path leads to, or null if it has a wrong length. */
function rootFromInclusion(leaf, index, size, proof) {
  if (!(index >= 0 && index < size)) return null;
  const place = BigInt(index);
  const inner = bitLength(place ^ BigInt(size - 1));
  if (proof.length !== inner + onesIn(place >> BigInt(inner))) return null;
  return climbed(leaf, place, inner, proof);
}

/** Up the tree; from height `inner` on along its right border, where every sibling is to the left. */
function climbed(node, index, inner, path) {
  path.forEach((sibling, height) => {
    const isLeft = height < inner && !((index >> BigInt(height)) & 1n);
    node = isLeft ? nodeHash(node, sibling) : nodeHash(sibling, node);
  });
  return node;
}

/** Section 2.1.4.2, for 0 < old < size: whether the tree of `size` continues the one of `old`. */
function isConsistent(old, oldRoot, size, root, proof) {
  const [before, last] = [BigInt(old), BigInt(old - 1)];
  const whole = bitLength(before & -before) - 1;
  let inner = bitLength(last ^ BigInt(size - 1));
  const path = before === 1n << BigInt(whole) ? [oldRoot, ...proof] : [...proof];
  if (path.length !== 1 + inner - whole + onesIn(last >> BigInt(inner))) return false;
  const index = last >> BigInt(whole);
  inner -= whole;
  let node = path[0];
  path.slice(1).forEach((sibling, height) => {
    if (height >= inner || (index >> BigInt(height)) & 1n) node = nodeHash(sibling, node);
  });
  return sameBytes(node, oldRoot) && sameBytes(climbed(path[0], index, inner, path.slice(1)), root);
}

/** The root of a tree of `size` from some of its leaves (`rows` ascending) and one hash for each of the largest subtrees
    that hold none of them, from left to right; null if the proof has too few or too many hashes. */
async function rootFromSubset(size, rows, hashes, proof, work) {
  let used = 0;

  async function walk(low, high, first, last) {
    if (first === last) return proof[used++];
    if (last - first === high - low) return rootOf(hashes.slice(first, last), work);
    const middle = low + 2 ** (bitLength(BigInt(high - low - 1)) - 1);
    let cut = first;
    for (let end = last; cut < end; ) {
      const half = (cut + end) >> 1;
      if (rows[half] < middle) cut = half + 1;
      else end = half;
    }
    const left = await walk(low, middle, first, cut);
    const right = await walk(middle, high, cut, last);
    return left && right && nodeHash(left, right);
  }

  const root = await walk(0, size, 0, rows.length);
  return root && used === proof.length ? root : null;
}
