/* What a bundle shows and what it does not, in the words of verify.py. */

const PROVEN = {
  records: "Records: every line is unchanged since it was taken in. It leads to the root of its partition, this to an entry of the log, this to the checkpoint.",
  whole: "Completeness up to the checkpoint: every entry of the log is here, and all rows of every partition that can hold a record of this selection; none that belongs to it is left out. With a period, partitions are told apart by the time range that their entries state.",
  sampled: "The sample: it is the one that the stated seed draws from the population.",
  disclosed: "Content: what is disclosed is what its record commits to, and texts that are called verbatim occur in it.",
  sealed: "Content: its places and sizes only; it is sealed.",
  attested: "The files under data/: they are those that the bundle key of the log's store has signed.",
};
const NEVER_PROVEN = [
  "That the sources logged what happened, or all of it: records are unchanged since ingest, no more.",
  "Times: they are what the sources and the store's writer stated.",
  "Who committed an entry, and when: the signed commits are in the store, not in the bundle.",
  "README.txt, verify.py, report.html, report.pdf and bag-info.txt: no signature covers them.",
  "That the checkpoint is the newest one.",
];
const NOT_PROVEN = {
  shown: "Completeness: that no other row of the log belongs to this selection.",
  views: "Views (records.parquet, controls, queries.sql, replay texts that are called arranged): they are the exporter's, and attested as such.",
  unsampled: "That the records of the population whose lines are not shown belong to the selection, or to their stratum.",
  query: "That the records are what the query or control selects: the lines alone do not tell.",
  ended: "That what ended, altered or restricted content was committed by a key with that role, and that it names this very row: verify the store for this.",
  sealed: "Content: it is sealed. Drop the grant on this page to open it.",
  unattested: "The files as a whole: no key has signed them together.",
  token: "The timestamp token: check attestation.tsr with openssl ts, as README.txt says.",
};

const NOT_CERTIFIED = [
  "That no copy of a destroyed key exists anywhere else: keys leave no trace when they are copied.",
  "That the plan lists every record of these people, and every mention of them.",
  "What the store looked for afterwards, and whom it handed records to before: that is its word.",
  "Times: they are what the store's writer stated.",
  "Who committed an entry, and when: the signed commits are in the store, not in the certificate.",
  "README.txt, verify.py, bag-info.txt and the commit numbers: no signature covers them.",
  "That the checkpoint is the newest one.",
];

/** { proven, notProven }: nothing is proven as a whole where anything is wrong. */
function wordsFor(bundle, verdict, checked, states) {
  const { statement, checkpoint, bag } = bundle;
  if (!statement || !checkpoint) return { proven: [], notProven: [] };
  const token = bag.has("attestation.tsr") ? [NOT_PROVEN.token] : [];
  if (statement._ === CERTIFICATE) {
    return { proven: [], notProven: [...NOT_CERTIFIED, ...(bundle.attested ? [] : [NOT_PROVEN.unattested]), ...token] };
  }
  const { completeness, content, sampled, selection } = statement;
  const proven = ["records", completeness === "whole" && "whole", sampled && "sampled", content !== "none" && content, "attested"];
  const without = [
    completeness === "shown" && "shown", "views", sampled && "unsampled", UNEVALUATED.includes(selection.type) && "query", content === "sealed" && "sealed",
    ["erased", "expired", "redacted", "restricted"].some((state) => states.has(state)) && "ended",
  ];
  const notProven = [...NEVER_PROVEN, ...without.filter(Boolean).map((name) => NOT_PROVEN[name])];
  const [shownContents, records] = [checked.contents ?? 0, checked.records ?? 0];
  if (content !== "sealed" && shownContents < records) {
    notProven.push(`Content: ${shownContents} of ${records} record${records === 1 ? "" : "s"} have theirs in the bundle, the others a commitment to it.`);
  }
  return { proven: verdict === INTACT ? proven.filter(Boolean).map((name) => PROVEN[name]) : [], notProven: [...notProven, ...token] };
}

function counted(number, noun, many = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : many}`;
}
