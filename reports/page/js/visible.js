/* Hostile text made harmless: what would act instead of being read is written out, as in replay/visible.py. */

const ACTIVE = new RegExp(
  "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff" +
    "\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb" +
    "\\u{110bd}\\u{110cd}\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}" +
    "\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u3164\\uffa0\\ufff0-\\ufff8\\ufe00-\\ufe0e\\u{e0000}-\\u{e0fff}]" +
    "|(?<![#*0-9\\xa9\\xae\\u203c-\\u3299\\u{1f000}-\\u{1faff}])\\ufe0f",
  "gu",
);
const JOINS_EMOJI = /^[\u203c-\u3299\u{1f000}-\u{1faff}]$/u;

/** The text with control, bidirectional and invisible characters as escapes; tabs and newlines stay. */
function shown(text) {
  return text.replace(ACTIVE, (found, at) => {
    const code = found.codePointAt(0);
    if (code === 0x200d && joinsEmoji(text, at)) return found;
    if (code < 256) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  });
}

function joinsEmoji(text, at) {
  const before = Array.from(text.slice(Math.max(0, at - 4), at).replace(/\ufe0f+$/u, "")).at(-1) ?? "";
  const after = String.fromCodePoint(text.codePointAt(at + 1) ?? 0);
  return JOINS_EMOJI.test(before) && JOINS_EMOJI.test(after);
}

/** The same on one line, no longer than so many characters. */
function shortly(text, longest = 200) {
  const line = shown(text.slice(0, longest * 2)).replaceAll("\n", "\\n").replaceAll("\t", " ");
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}
