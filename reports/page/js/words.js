/* What a bundle shows and what it does not, in words. */

const NEVER_PROVEN = [
  "That the sources logged what happened, or all of it: records are unchanged since ingest, no more.",
  "Times: they are what the sources and the store's writer stated.",
  "Who committed an entry, and when: the signed commits are in the store, not in the bundle.",
  "README.txt, verify.py, log.vkey, the bundle's own words and the commit numbers: no signature of the log covers them.",
  "That the checkpoint is the newest one.",
];

function notProven(bundle, checked) {
  const words = [...NEVER_PROVEN];
  if (bundle.statement?._ !== BUNDLE) return words;
  const { completeness, content } = bundle.statement;
  if (completeness !== "whole") words.splice(1, 0, "That no other record of the log belongs to this selection.");
  if (UNEVALUATED.includes(bundle.statement.selection?.type)) words.splice(1, 0, "That these records are the answer to the query or control: it is not evaluated here.");
  const [records, contents] = [checked.records ?? 0, checked.contents ?? 0];
  if (content === "sealed") words.push("Content: it is sealed in the bundle, and opens with a grant.");
  else if (contents < records || !records) {
    words.push(`Content: ${contents} of ${counted(records, "record")} have theirs in the bundle, the others a commitment to it.`);
  }
  return words;
}

/** What was shown, if the verdict is intact: sentences. */
function provenWords(bundle, checked) {
  const { checkpoint, statement } = bundle;
  const words = [];
  if (!checkpoint || !statement) return words;
  words.push(`Log ${checkpoint.origin} has ${counted(checkpoint.size, "entry", "entries")} under the checkpoint; ${(checked.entries ?? 0).toLocaleString("en")} of them are here and lead to its root.`);
  words.push(`${counted(checked.records ?? 0, "record line")} in ${counted(checked.partitions ?? 0, "partition")} lead to the roots that these entries state: unchanged since ingest.`);
  if (statement.completeness === "whole") words.push("Completeness: all entries are here, and all rows of each partition that can hold a record of the selection. None is left out.");
  if (checked.contents) words.push(`${counted(checked.contents, "content")} match what their records commit to, byte for byte.`);
  if (checked["sampled rows"]) words.push(`The sample of ${counted(checked["sampled rows"], "row")} was drawn again from the seed, with the same result.`);
  if (checked["replayed events"]) words.push(`${counted(checked["replayed events"], "replayed event")} belong to these records; each text marked as found stands in the proven bytes.`);
  if (checked.attestations) words.push("A key that the log enrols for bundles has signed the list of files.");
  if (checked["consistency with the pin"]) words.push("The log continues the checkpoint in your pin.");
  return words;
}

function counted(number, noun, many = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : many}`;
}
