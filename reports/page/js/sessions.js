/* The sessions of a bundle, as lists of events: arranged by the exporter where the bundle has a replay, else by this page
   from the record lines alone. */

const IDLE_SECONDS = 300;

/** Sessions by id, in the order of their first event: { session, events, first, last, kinds, tones }. */
function sessionsOf(bundle) {
  const events = bundle.replay.length ? bundle.replay : eventsOfLines(bundle.shown);
  const sessions = new Map();
  for (const event of events) {
    const id = event.session ?? "";
    if (!sessions.has(id)) sessions.set(id, { session: id, events: [], first: null, last: null, worst: "none", words: "", isDamaged: false });
    const session = sessions.get(id);
    session.events.push(event);
    session.first ??= event.at;
    session.last = event.at ?? session.last;
    const row = bundle.byRecord.get(event.record);
    const [tone, words] = notableOf(row);
    const isDamaged = isDamagedRow(row);
    const isWorse = tone === "bad" ? session.worst !== "bad" || (isDamaged && !session.isDamaged) : tone === "warn" && session.worst === "none";
    if (isWorse) Object.assign(session, { worst: tone, words, isDamaged });
  }
  return [...sessions.values()].sort((one, other) => ((one.first ?? "") < (other.first ?? "") ? -1 : 1));
}

/** Whether something is wrong with the evidence itself, not with what it tells. */
function isDamagedRow(row) {
  return Boolean(row?.problem || row?.contentProblem);
}

/** What somebody should look at in an event: its tone and a word. */
function notableOf(row) {
  if (isDamagedRow(row)) return ["bad", row.problem || row.contentProblem];
  const outcome = row?.line ? String(outcomeOf(row.line)) : "";
  return [toneOf(outcome), outcome];
}

/** Events as far as lines tell of them: by time, without content. */
function eventsOfLines(rows) {
  const events = rows.filter((row) => row.line && row.line.session !== undefined && row.line.kind !== "envelope").map((row) => ({
    record: row.record, session: String(row.line.session), kind: row.line.kind, at: row.line.occurred_at ?? null, time_basis: row.line.time_basis,
    idle: null, in_force: [], notes: [], parts: [], repeated: 0, duplicate: false, state: row.state, ended: row.line.ended_at ?? row.line.occurred_at ?? null,
  }));
  events.sort((one, other) => (one.session < other.session ? -1 : Number(one.session > other.session)) || ((one.at ?? "").slice(0, -1) < (other.at ?? "").slice(0, -1) ? -1 : 1));
  events.forEach((event, at) => {
    const before = events[at - 1];
    if (before?.session !== event.session || !before.ended || !event.at) return;
    const pause = (Date.parse(event.at) - Date.parse(before.ended)) / 1000;
    if (pause > IDLE_SECONDS) event.idle = String(pause);
  });
  return events;
}

/** What an event is called in the outline. */
function eventWords(event, row) {
  const parts = (event.parts ?? []).filter((part) => part.text && part.type !== "fact");
  const named = parts.findLast((part) => part.name);
  if (event.kind === "tool") return shortly(String(named?.name ?? row?.line?.gen_ai_tool_name ?? "tool"), 60);
  const spoken = parts.findLast((part) => part.type === "text") ?? named;
  if (spoken) return shortly(String(spoken.type === "text" ? spoken.text : `calls ${spoken.name}`), 60);
  return row?.line ? outcomeOf(row.line) || modelOf(row.line) || event.kind : event.kind;
}

const KIND_ICONS = { inference: "model", tool: "tool", policy: "decision", approval: "decision", change: "change", review: "person", correction: "person", evaluation: "decision" };
