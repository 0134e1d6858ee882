/* The replay: a list of sessions, an outline, and the turns with a playhead that is a cursor, not a curtain. */

const WINDOW = 150; // events that are drawn at once
const SPEEDS = [["1×", 1], ["4×", 4], ["16×", 16], ["step", 0]];
const LONGEST_WAIT = 4000;

class SessionsView {
  constructor(openRow) {
    this.openRow = openRow;
    this.sessions = [];
    this.at = 0;
    this.drawHead();
    this.turns = el("div", { class: "turns", id: "turns", tabindex: "0", "aria-label": "Turns" });
    this.outline = new RowList(24, (event, at) => this.outlineRow(event, at), { "aria-label": "Outline" });
    this.list = new RowList(38, (session) => this.sessionRow(session), { "aria-label": "Sessions" });
    this.find = el("input", { type: "search", placeholder: "Find a session…", "aria-label": "Find a session", oninput: () => this.filter() });
    this.about = el("p", { class: "about" });
    fill(
      byId("sessions"),
      el("div", { class: "replay" },
        el("div", { class: "left" }, el("h2", {}, "Sessions"), this.find, this.list.box, el("h2", {}, "Outline"), this.outline.box),
        el("div", { class: "stage" }, this.head, this.about, this.turns)),
    );
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  drawHead() {
    const button = (id, words, title, act) => el("button", { type: "button", id, title, onclick: act }, words);
    this.place = el("span", { class: "place mono", role: "status" });
    this.playButton = button("play", "", "Play or pause (space)", () => this.play());
    this.speed = el("select", { "aria-label": "Speed" }, SPEEDS.slice(0, 3).map(([words, factor]) => el("option", { value: factor }, words)));
    this.speed.value = "4";
    this.search = el("input", { type: "search", id: "find-in-session", placeholder: "Search in this session  ( / )", "aria-label": "Search in this session", oninput: () => this.later() });
    this.hits = el("span", { class: "count", role: "status" });
    this.jump = el("button", { type: "button", id: "next-notable", title: "Next decision or error (n)", onclick: () => this.nextNotable() }, "Next decision");
    this.head = el("div", { class: "bar controls" },
      button("previous", "◀ k", "Previous event (k)", () => this.step(-1)), this.playButton, button("next", "j ▶", "Next event (j)", () => this.step(1)),
      this.speed, this.jump, this.place, el("span", { class: "push" }), this.search, this.hits);
    fill(this.playButton, icon("play"), "Play");
  }

  show(bundle) {
    this.bundle = bundle;
    this.sessions = sessionsOf(bundle);
    this.filter();
    if (this.sessions.length) this.open(this.sessions[0].session);
    else fill(this.turns, el("p", { class: "empty" }, "No record of this bundle belongs to a session."));
  }

  filter() {
    const wanted = this.find.value.trim().toLowerCase();
    this.list.show(this.sessions.filter((session) => session.session.toLowerCase().includes(wanted)));
  }

  sessionRow(session) {
    const isOpen = this.current === session;
    return el("div", { class: `session${isOpen ? " open" : ""}`, role: "button", onclick: () => this.open(session.session) },
      el("span", { class: "mono id" }, shortly(session.session, 40)),
      el("span", { class: "quiet" }, session.first ? readTime(session.first).slice(0, 16) : "time unknown", ` · ${session.events.length.toLocaleString("en")}`),
      session.worst === "none" ? "" : el("span", { class: `chip ${session.worst}` }, icon(session.isDamaged ? "tampered" : "decision"), shortly(session.words, 14)));
  }

  open(id, record) {
    const session = this.sessions.find((candidate) => candidate.session === id);
    if (!session) return;
    this.pause();
    this.current = session;
    this.search.value = "";
    const at = Math.max(0, session.events.findIndex((event) => event.record === record));
    const arranged = this.bundle.replay.length
      ? "Order, gaps and what was in force are arranged by the exporter; each record's bytes are proven."
      : "Arranged by this page from the record lines.";
    fill(this.about, el("b", { class: "mono" }, shortly(id, 80)), ` ${counted(session.events.length, "event")}, ${session.first ? readTime(session.first) : "time unknown"} to ${session.last ? readTime(session.last) : "time unknown"} UTC. ${arranged}`);
    this.outline.show(session.events);
    this.list.redraw();
    this.applySearch();
    this.go(at, true);
  }

  /** Redraw what is open, since its contents or verdicts have changed. */
  refresh() {
    const [id, record] = [this.current?.session, this.current?.events[this.at]?.record];
    this.sessions = sessionsOf(this.bundle);
    this.filter();
    if (id !== undefined) this.open(id, record);
  }

  outlineRow(event, at) {
    const row = this.bundle.byRecord.get(event.record);
    const [tone] = notableOf(row);
    const isHit = this.found?.has(at);
    return el("div", { class: `step${at === this.at ? " here" : ""}${isHit ? " hit" : ""} tone-${tone}`, onclick: () => this.go(at, true) },
      icon(isDamagedRow(row) ? "tampered" : lookup(KIND_ICONS, event.kind, "other")),
      el("span", { class: "mono quiet" }, event.at ? event.at.slice(11, 19) : "··:··:··"),
      el("span", {}, eventWords(event, row)),
      event.idle ? el("span", { class: "quiet pause", title: "Idle before this event" }, icon("idle"), readLength(event.idle)) : "");
  }

  /** Put the playhead on an event, and draw the turns around it. */
  go(at, scroll) {
    const { events } = this.current;
    this.at = Math.max(0, Math.min(at, events.length - 1));
    const first = Math.max(0, Math.min(this.at - WINDOW / 3, events.length - WINDOW)) | 0;
    const isDrawn = this.drawn?.session === this.current && this.at >= this.drawn.first && this.at < this.drawn.end && !this.isStale;
    if (!isDrawn) this.draw(first);
    for (const card of this.turns.querySelectorAll(".turn")) card.classList.toggle("here", Number(card.dataset.at) === this.at);
    this.outline.reveal(this.at);
    fill(this.place, `${this.at + 1} / ${events.length.toLocaleString("en")}`);
    if (scroll) this.turns.querySelector(`[data-at="${this.at}"]`)?.scrollIntoView({ block: "nearest" });
  }

  draw(first) {
    const end = Math.min(this.current.events.length, first + WINDOW);
    this.drawn = { session: this.current, first, end };
    this.isStale = false;
    const more = (words, at) => el("button", { type: "button", class: "more", onclick: () => this.go(at, true) }, words);
    fill(this.turns,
      first > 0 ? more(`${counted(first, "earlier event")}…`, first - 1) : "",
      this.dayHeads(first, end),
      end < this.current.events.length ? more(`${counted(this.current.events.length - end, "later event")}…`, end) : "");
  }

  /** Turns with a heading where the day changes. */
  dayHeads(first, end) {
    const drawn = [];
    let day = "";
    for (let at = first; at < end; at += 1) {
      const event = this.current.events[at];
      const own = (event.at ?? day).slice(0, 10);
      if (own && own !== day) drawn.push(el("h3", { class: "day mono" }, `${own} UTC`));
      day = own || day;
      const card = turnCard(event, at, this.bundle, this.openRow, this.wanted);
      card.addEventListener("click", (clicked) => {
        if (!clicked.target.closest("button") && !getSelection().toString()) this.go(at, false);
      });
      drawn.push(card);
    }
    return drawn;
  }

  step(by) {
    if (this.current) this.go(this.at + by, true);
  }

  nextNotable() {
    const { events } = this.current ?? { events: [] };
    for (let offset = 1; offset <= events.length; offset += 1) {
      const at = (this.at + offset) % events.length;
      const row = this.bundle.byRecord.get(events[at].record);
      if (row?.problem || (row?.line && (["policy", "approval"].includes(row.line.kind) || ["bad", "warn"].includes(toneOf(outcomeOf(row.line)))))) {
        this.go(at, true);
        return;
      }
    }
  }

  play() {
    if (this.playing) this.pause();
    else if (this.current) {
      this.playing = true;
      fill(this.playButton, icon("pause"), "Pause");
      this.wait();
    }
  }

  /** Wait as long as the session did, less idle gaps, then take the next event. */
  wait() {
    const [now, next] = [this.current.events[this.at], this.current.events[this.at + 1]];
    if (!next) {
      this.pause();
      return;
    }
    const apart = now.at && next.at && !next.idle ? Date.parse(next.at) - Date.parse(now.at) : 1000;
    const length = Math.min(LONGEST_WAIT, Math.max(250, (Number.isFinite(apart) ? apart : 1000) / Number(this.speed.value)));
    this.timer = setTimeout(() => {
      this.step(1);
      this.wait();
    }, length);
  }

  pause() {
    clearTimeout(this.timer);
    this.playing = false;
    fill(this.playButton, icon("play"), "Play");
  }

  later() {
    clearTimeout(this.searching);
    this.searching = setTimeout(() => this.applySearch(), 150);
  }

  /** Mark the events of the session that hold the text, and go to the first of them from here on. */
  applySearch() {
    this.wanted = this.search.value.trim().toLowerCase();
    this.found = null;
    if (this.wanted) {
      const found = this.current.events.flatMap((event, at) => (this.textOf(event).includes(this.wanted) ? [at] : []));
      this.found = new Set(found);
      this.isStale = true;
      this.go(found.find((at) => at >= this.at) ?? found[0] ?? this.at, true);
    } else if (this.isStale === false) {
      this.isStale = true;
      this.go(this.at, true);
    }
    fill(this.hits, this.wanted ? `${counted(this.found.size, "event")}` : "");
    this.outline.redraw();
  }

  textOf(event) {
    event.search ??= `${(event.parts ?? []).map((part) => `${part.name ?? ""} ${part.text}`).join("\n")} ${searchText(this.bundle.byRecord.get(event.record) ?? { record: "" })}`.toLowerCase();
    return event.search;
  }

  onKey(event) {
    if (byId("sessions").hidden || !this.current || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select")) {
      if (event.key === "Enter" && event.target === this.search && this.found?.size) this.nextHit();
      return;
    }
    const acts = { j: () => this.step(1), k: () => this.step(-1), n: () => this.nextNotable(), "/": () => this.search.focus(), " ": () => this.play() };
    if (!Object.hasOwn(acts, event.key) || (event.key === " " && event.target.closest?.("button"))) return;
    event.preventDefault();
    acts[event.key]();
  }

  nextHit() {
    const hits = [...this.found].sort((one, other) => one - other);
    this.go(hits.find((at) => at > this.at) ?? hits[0], true);
  }
}
