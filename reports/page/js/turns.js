/* One event of a session as people read it: who said what, which tool did what, what was decided, what was in force. */

const LONG_TEXT = 6000;

function turnCard(event, at, bundle, openRow, search) {
  const row = bundle.byRecord.get(event.record);
  const line = row?.line ?? {};
  const outcome = row?.line ? outcomeOf(line) : "";
  const head = el(
    "header", {},
    el("span", { class: "kind" }, icon(lookup(KIND_ICONS, event.kind, "other")), event.kind),
    el("time", { class: "mono", datetime: event.at ?? "", title: event.at ? localTime(event.at) : "The source gave no time" }, event.at ? readTime(event.at, false) : "time unknown"),
    outcome ? el("span", { class: `chip ${toneOf(outcome)}` }, icon("decision"), shortly(String(outcome), 40)) : "",
    row?.line ? el("span", { class: "model" }, modelOf(line)) : "",
    el("span", { class: "push" }),
    badge(...rowVerdict(row ?? { problem: "not proven" }, bundle)),
    badge(...contentState(row ?? {})),
    row ? el("button", { type: "button", class: "small", onclick: () => openRow(row) }, "Bytes") : "",
  );
  return el(
    "article", { class: `turn kind-${["inference", "tool", "policy", "approval", "change"].includes(event.kind) ? event.kind : "other"}`, "data-at": String(at), "data-record": event.record, tabindex: "-1" },
    event.idle ? el("p", { class: "idle" }, icon("idle"), `${readLength(event.idle)} without an event`) : "",
    head,
    event.repeated ? el("p", { class: "quiet" }, `${counted(event.repeated, "earlier message")} of this conversation repeated by the request: left out.`) : "",
    partsOf(event, row, search),
    errorOf(line),
    (event.notes ?? []).map((note) => el("p", { class: "quiet" }, String(note))),
    event.duplicate ? el("p", { class: "quiet" }, "Same source and id as an earlier record: kept twice.") : "",
    inForceOf(event),
  );
}

function partsOf(event, row, search) {
  if (event.parts === null) return el("p", { class: "gone" }, icon("sealed"), "Sealed: drop the grant to open it.");
  const parts = event.parts ?? [];
  if (row?.problem === "tampered") return el("p", { class: "gone" }, icon("tampered"), "The line of this record is not the one that was sealed: what the exporter has arranged for it is not shown.");
  if (!parts.length && row?.content?.length) {
    return el("div", { class: "part" }, el("div", { class: "side" }, el("span", { class: "role" }, "content"), el("span", { class: "found" }, icon("proven"), "as the source sent it")), longText(readable(new TextDecoder().decode(row.content)), true, search));
  }
  if (!parts.length) {
    const [tone, , words, why] = contentState(row ?? {});
    return el("p", { class: ["none", "good"].includes(tone) ? "quiet" : "gone" }, `${capital(words)}. ${why}`);
  }
  const facts = parts.filter((part) => part.type === "fact");
  return [...parts.filter((part) => part.type !== "fact").map((part) => partOf(part, search)), facts.length ? factsOf(facts, search) : ""];
}

/** What a text of the replay rests on: [class, icon, words, title]. */
function proofOf(part) {
  if (part.isFound) return ["found", "proven", "in the proven bytes", "This text stands in the content that the record commits to."];
  if (part.verbatim !== false) return ["lacking", "tampered", "not in the bytes", "The exporter says that this stands in the content, and it was not found there."];
  return ["arranged", "unsure", "arranged by the exporter", "The exporter has put this together from the content; compare it with the bytes."];
}

/** Labelled values that the exporter has read out of the content. */
function factsOf(facts, search) {
  return el("ul", { class: "read-out" }, facts.map((fact) => {
    const [tone, drawing, words, title] = proofOf(fact);
    return el("li", { class: tone, title: `${words}. ${title}` }, icon(drawing), el("i", {}, String(fact.name ?? "")), el("span", {}, marked(shortly(String(fact.text ?? ""), 300), search)));
  }));
}

function partOf(part, search) {
  const [type, role] = [String(part.type ?? ""), String(part.role ?? "")];
  const isTool = type.startsWith("tool");
  const label = el("span", { class: "role" }, isTool ? (type === "tool_call" ? "calls tool" : "tool result") : role, part.name ? el("b", { class: "mono" }, String(part.name)) : "");
  const [tone, drawing, words, title] = proofOf(part);
  const proof = el("span", { class: tone, title }, icon(drawing), words);
  const text = String(part.text ?? "");
  return el("div", { class: `part role-${["system", "user", "assistant", "tool"].includes(role) ? role : "other"}${isTool ? " is-tool" : ""}` }, el("div", { class: "side" }, label, proof), longText(isTool ? readable(text) : text, isTool, search));
}

/** JSON set out in lines; other text as it is. */
function readable(text) {
  if (text.length > 200000 || !/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function longText(text, isCode, search) {
  const box = el(isCode ? "pre" : "div", { class: "text" });
  const draw = (all) => {
    fill(box, marked(all ? text : text.slice(0, LONG_TEXT), search), all || text.length <= LONG_TEXT ? "" : el("button", { type: "button", class: "more", onclick: () => draw(true) }, `… show all ${text.length.toLocaleString("en")} characters`));
  };
  draw(false);
  return box;
}

/** Text with what is searched for marked. */
function marked(text, search) {
  if (!search || text.length > 200000) return [text];
  const pieces = [];
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return [text];
  let from = 0;
  for (let at = lower.indexOf(search); at >= 0 && pieces.length < 2000; at = lower.indexOf(search, from)) {
    pieces.push(text.slice(from, at), el("mark", {}, text.slice(at, at + search.length)));
    from = at + search.length;
  }
  return [...pieces, text.slice(from)];
}

function errorOf(line) {
  const facts = [
    line.error_type && ["error", line.error_type], line.status && line.status !== "ok" && ["status", line.status],
    line.capture && line.capture !== "complete" && ["capture", line.capture], IS.list(line.warnings) && ["warnings", line.warnings.join(", ")],
    isObject(line.change) && ["change", `${line.change.type ?? ""} ${line.change.name ?? ""}: ${line.change.from ?? "–"} → ${line.change.to ?? "–"}`],
    line.gen_ai_usage_output_tokens !== undefined && ["tokens", `${line.gen_ai_usage_input_tokens ?? "?"} in, ${line.gen_ai_usage_output_tokens} out`],
  ].filter(Boolean);
  return facts.length ? el("p", { class: "facts-line" }, facts.map(([name, value]) => el("span", {}, el("i", {}, name), ` ${shortly(String(value), 120)}`))) : "";
}

function inForceOf(event) {
  if (!event.in_force?.length) return "";
  return el("ul", { class: "in-force" }, event.in_force.map((item) => {
    const approval = item.approval ? `, ${item.approval}${item.approved_at ? ` ${readTime(item.approved_at)}` : ""}` : ", no approval evidenced";
    const tone = item.recorded_later || item.basis === "ambiguous" || !item.approval ? "warn" : "none";
    return el("li", { class: `chip ${tone}`, title: "What was in force, as far as it is evidenced here; the exporter has worked this out." },
      `${item.kind ?? item.type ?? ""} ${item.name ?? ""} `, el("b", {}, String(item.version ?? "?")), ` (${item.basis ?? "?"}${item.recorded_later ? ", recorded later" : ""})${approval}`);
  }));
}
