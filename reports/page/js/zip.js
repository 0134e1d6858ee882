/* The container, not hostile: closed list of names, no zip64, links, duplicates, encryption, overlaps, hidden data or
   lies about sizes. It is read in place. */

const NAME = new RegExp(
  "^(?:bagit\\.txt|bag-info\\.txt|manifest-sha256\\.txt|tagmanifest-sha256\\.txt|README\\.txt|verify\\.py" +
    "|report\\.html|report\\.pdf|attestation\\.dsse\\.json|attestation\\.tsr" +
    "|data/(?:bundle\\.json|checkpoint|log\\.vkey|policy|consistency\\.json|entries\\.jsonl|population\\.csv" +
    "|records\\.jsonl|records\\.parquet|context\\.csv|context\\.jsonl|sampling\\.json|sample\\.csv|content\\.jsonl" +
    "|replay\\.jsonl|accesses\\.jsonl|erasures\\.jsonl|holds\\.jsonl|queries\\.sql|tie-out\\.csv|controls\\.json" +
    "|controls\\.xlsx|oscal-assessment-results\\.json|certificate|plan\\.json|before|before\\.json" +
    "|proofs/(?:0|[1-9][0-9]{0,15})\\.tlog-proof|content/(?:0|[1-9][0-9]{0,15})\\.bin))$",
);
const MAX_UNPACKED = 4 * 2 ** 30;
const MAX_ARCHIVE = 2 ** 30; // what a page holds in memory
const MAX_EXPANSION = 1032; // deflate cannot do more

const CRC_TABLES = (() => {
  const tables = Array.from({ length: 4 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    tables[0][byte] = value;
  }
  for (let table = 1; table < 4; table += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      const before = tables[table - 1][byte];
      tables[table][byte] = (before >>> 8) ^ tables[0][before & 255];
    }
  }
  return tables;
})();

function crc32(crc, data) {
  const [t0, t1, t2, t3] = CRC_TABLES;
  let at = 0;
  for (; at + 4 <= data.length; at += 4) {
    crc ^= data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24);
    crc = t3[crc & 255] ^ t2[(crc >>> 8) & 255] ^ t1[(crc >>> 16) & 255] ^ t0[crc >>> 24];
  }
  for (; at < data.length; at += 1) crc = (crc >>> 8) ^ t0[(crc ^ data[at]) & 255];
  return crc;
}

function refuse(what) {
  throw new CheckError(TAMPERED, "bundle", `refused as hostile or damaged: ${what}`);
}

/** The files of a bundle by name. `read` gives the bytes, or throws CheckError where they are missing or damaged. */
class Bag {
  constructor(data, files, work) {
    this.data = data;
    this.files = files;
    this.work = work;
    this.kept = new Map();
  }

  has(name) {
    return this.files.has(name);
  }

  get names() {
    return [...this.files.keys()].sort();
  }

  size(name) {
    return this.files.get(name)?.size ?? 0;
  }

  async read(name, limit = 2 ** 30) {
    const file = this.files.get(name);
    if (!file) throw new CheckError(LOST, name, "is missing from the bundle");
    if (file.size > limit) throw new CheckError(TAMPERED, name, "is larger than such a file can be");
    if (!this.kept.has(name)) this.kept.set(name, await this.unpacked(name, file));
    return this.kept.get(name);
  }

  /** The lines of a file without their newlines. */
  async lines(name, longest) {
    if (this.size(name) > 2 ** 30) throw new CheckError(UNVERIFIABLE, name, "is larger than this program reads");
    const data = await this.read(name);
    const lines = [];
    for (let at = 0; at < data.length; ) {
      const end = data.indexOf(10, at);
      if (end < 0 || end - at > longest) {
        throw new CheckError(TAMPERED, name, "has a line that is too long, or no newline at its end");
      }
      lines.push(data.subarray(at, end));
      at = end + 1;
      if ((lines.length & 1023) === 0) await this.work.pace();
    }
    return lines;
  }

  async unpacked(name, file) {
    const packed = this.data.subarray(file.at, file.at + file.packed);
    const found = file.method === 0 ? packed : await this.inflated(name, packed, file.size);
    let crc = -1;
    for (let at = 0; at < found.length; at += 2 ** 20) {
      crc = crc32(crc, found.subarray(at, at + 2 ** 20));
      await this.work.pace();
    }
    if (found.length !== file.size || (crc ^ -1) >>> 0 !== file.crc) throw damage(name);
    return found;
  }

  async inflated(name, packed, size) {
    const found = new Uint8Array(size);
    let at = 0;
    try {
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
      const reader = stream.getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        if (at + next.value.length > size) throw damage(name);
        found.set(next.value, at);
        at += next.value.length;
        await this.work.pace();
      }
    } catch (error) {
      throw error instanceof Cancelled ? error : damage(name);
    }
    return found.subarray(0, at);
  }
}

function damage(name) {
  return new CheckError(TAMPERED, name, "cannot be read: damaged");
}

/** The bundle in the bytes of a zip. Throws CheckError where it is hostile, too large or not there. */
async function openBag(data, work) {
  if (!data.length) throw new CheckError(NOTHING_THERE, "bundle", "the file is empty");
  if (data.length > MAX_ARCHIVE) {
    throw new CheckError(UNVERIFIABLE, "bundle", "is larger than this page reads: use verify.py");
  }
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const end = endOf(view);
  const files = new Map();
  let total = 0;
  let at = 0;
  let slack = 0;
  const listed = await directoryOf(view, data, end, work);
  for (const file of listed.sort((one, other) => one.header - other.header)) {
    checkHeader(view, data, file, at, at + slack);
    at = file.at + file.packed;
    slack = file.flags & 8 ? 16 : 0;
    if (!NAME.test(file.name) || files.has(file.name)) {
      refuse(`a second file, or one that no bundle has: '${shown(file.name).slice(0, 100)}'`);
    }
    files.set(file.name, file);
    total += file.size;
    await work.pace();
  }
  if (end.start < at || end.start > at + slack) refuse("data between the files and the directory");
  if (total > MAX_UNPACKED) throw new CheckError(UNVERIFIABLE, "bundle", `unpacks to more than ${MAX_UNPACKED} bytes`);
  return new Bag(data, files, work);
}

/** The end record: at the very end, without zip64. */
function endOf(view) {
  const at = view.byteLength - 22;
  if (at < 0 || view.getUint32(at) !== 0x504b0506) refuse("no end record at its end");
  const [disks, here, count] = [view.getUint32(at + 4), view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  const [size, start] = [view.getUint32(at + 12, true), view.getUint32(at + 16, true)];
  if (disks || here !== count || view.getUint16(at + 20) || start + size !== at) {
    refuse("no end record at its end, a comment, or data where none may be");
  }
  const isZip64 = at >= 20 && view.getUint32(at - 20) === 0x504b0607;
  if (count === 0xffff || isZip64 || size > count * 512) refuse("a zip64 record or an outsized directory");
  return { count, start, end: at };
}

async function directoryOf(view, data, end, work) {
  const files = [];
  let at = end.start;
  while (at < end.end) {
    if (at + 46 > end.end || view.getUint32(at) !== 0x504b0102) refuse("a damaged directory");
    const u16 = (offset) => view.getUint16(at + offset, true);
    const long = (offset) => view.getUint32(at + offset, true);
    const nameEnd = at + 46 + u16(28);
    if (nameEnd + u16(30) + u16(32) > end.end) refuse("a damaged directory");
    const raw = data.subarray(at + 46, nameEnd);
    const file = {
      name: Array.from(raw, (byte) => String.fromCharCode(byte)).join(""),
      raw, flags: u16(8), method: u16(10), crc: long(16), packed: long(20), size: long(24), header: long(42), at: 0,
    };
    if (![0, 0o100000].includes((long(38) >>> 16) & 0o170000)) refuse(`${file.name} is a link or a special file`);
    if (![0, 8].includes(file.method) || file.flags & ~0x80e || (u16(6) & 255) > 63) {
      refuse(`${file.name} is encrypted or packed in an unusual way`);
    }
    if (u16(30)) refuse(`${file.name} has extra data`);
    files.push(file);
    at = nameEnd + u16(30) + u16(32);
    await work.pace();
  }
  if (files.length !== end.count) refuse("an end record that counts other files");
  return files;
}

/** A file's own header agrees with the directory, and the file begins where the one before it ended. */
function checkHeader(view, data, file, from, to) {
  if (file.size > file.packed * (file.method === 8 ? MAX_EXPANSION : 1) || file.header < from || file.header > to) {
    refuse(`${file.name} lies about its size, overlaps another file, or hides data before it`);
  }
  const at = file.header;
  if (at + 30 > data.length || view.getUint32(at) !== 0x504b0304) refuse(`${file.name} differs from its own header`);
  if (view.getUint16(at + 6, true) !== file.flags || view.getUint16(at + 8, true) !== file.method) {
    refuse(`${file.name} differs from its own header`);
  }
  const length = view.getUint16(at + 26, true);
  file.at = at + 30 + length;
  if (view.getUint16(at + 28, true) || !sameBytes(data.subarray(at + 30, file.at), file.raw)) {
    refuse(`${file.name} has another name or extra data in its own header`);
  }
  if (file.at + file.packed > data.length) refuse(`${file.name} is cut short`);
}
