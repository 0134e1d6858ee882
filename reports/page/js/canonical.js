/* Canonical JSON: keys sorted by code point, no white space, no floats, no duplicate keys. A reader parses, writes
   again and compares. Values are reached by name and type, since a missing key is no error in this language. */

const MAX_DEPTH = 64;

/** The object that the bytes are in canonical form. */
function canonical(bytes) {
  return canonicalText(textOf(bytes));
}

function canonicalText(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Malformed("not JSON");
  }
  if (!isObject(value) || written(value, 0) !== text) throw new Malformed("not in canonical form");
  return value;
}

/** The canonical text of a value. */
function written(value, depth) {
  if (depth > MAX_DEPTH) throw new Malformed("nested too deep");
  if (typeof value === "string") return writtenText(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new Malformed("no floats, and no integers above 2^53");
    return String(value);
  }
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => written(item, depth + 1)).join(",")}]`;
  const keys = Object.keys(value).sort(byCodePoint);
  if (keys[0] === "") throw new Malformed("an empty key");
  return `{${keys.map((key) => `${writtenText(key)}:${written(value[key], depth + 1)}`).join(",")}}`;
}

function writtenText(text) {
  const quoted = JSON.stringify(text);
  if (quoted.includes("\\ud") && /\p{Surrogate}/u.test(text)) throw new Malformed("a lone surrogate");
  return quoted;
}

/** Order by code point: that of UTF-16 differs where one text has characters beyond U+FFFF. */
function byCodePoint(one, other) {
  if (!/[\ud800-\udfff]/.test(one + other)) return one < other ? -1 : Number(one > other);
  const [left, right] = [Array.from(one), Array.from(other)];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const apart = left[at].codePointAt(0) - right[at].codePointAt(0);
    if (apart) return apart;
  }
  return left.length - right.length;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const IS = {
  text: (value) => typeof value === "string",
  whole: (value) => Number.isSafeInteger(value),
  flag: (value) => typeof value === "boolean",
  list: (value) => Array.isArray(value),
  object: isObject,
};

/** The member of an object, which must be there and of this type: text, whole, flag, list, object. */
function member(value, name, type) {
  if (!isObject(value) || !Object.hasOwn(value, name) || !IS[type](value[name])) throw new Malformed(`no ${name}`);
  return value[name];
}

/** The same, or undefined where it is not there. */
function optional(value, name, type) {
  return isObject(value) && Object.hasOwn(value, name) ? member(value, name, type) : undefined;
}

/** Whether two values are the same in canonical form. */
function sameValue(one, other) {
  return written(one, 0) === written(other, 0);
}
