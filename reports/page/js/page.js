/* The page: reads the bundle that it holds or is given, verifies it, and shows what was found. */

const TABS = [["summary", "Summary"], ["report", "Report"], ["records", "Records"], ["sessions", "Sessions"], ["files", "Files and entries"]];

class Page {
  constructor() {
    this.keys = [];
    this.pin = null;
    this.bundle = null;
    this.drawer = new Drawer((session, record) => this.openSession(session, record));
    this.openRow = (row) => this.drawer.open(row, this.bundle);
    this.records = new RecordsView(this.openRow);
    this.sessions = new SessionsView(this.openRow);
    byId("banner").dataset.title = document.title;
    for (const [id, words] of TABS) {
      byId("tabs").append(el("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": id, onclick: () => this.openTab(id) }, words));
    }
    if (!byId("report").childElementCount) byId("tab-report").hidden = true;
    this.openTab("summary");
    byId("more-inputs").addEventListener("click", () => byId("inputs").classList.toggle("open"));
    byId("cancel").addEventListener("click", () => this.work?.cancel());
    wireInputs((found) => this.take(found), (words, isBad) => this.say(words, isBad));
    globalThis.evidenceVerdict = null;
  }

  openTab(id) {
    for (const [name] of TABS) {
      byId(name).hidden = name !== id;
      byId(`tab-${name}`).setAttribute("aria-selected", String(name === id));
    }
    this.records.list.redraw();
    this.sessions.list.redraw();
    this.sessions.outline.redraw();
    document.body.dataset.tab = id;
  }

  openSession(session, record) {
    this.drawer.close();
    this.openTab("sessions");
    this.sessions.open(session, record);
    history.replaceState(null, "", `#session=${encodeURIComponent(session)}&record=${record.slice(0, 12)}`);
  }

  say(words, isBad = false) {
    fill(byId("said"), words);
    byId("said").classList.toggle("bad", isBad);
  }

  /** Take what the auditor brought. */
  async take({ bundle, key, pin, grant }) {
    this.say("");
    if (bundle) await this.verify(new Uint8Array(await bundle.arrayBuffer()), false);
    if (key && !this.keys.some((held) => held.vkey === key.vkey)) this.keys.push(key);
    if (pin) this.pin = pin;
    if (key || pin) await this.judge();
    if (grant) await this.open(grant);
  }

  /** The bundle that the page itself holds, or an invitation to drop one. */
  async start() {
    const unable = await unableReason();
    if (unable) {
      showBanner(UNVERIFIABLE, "unsure", "This browser cannot verify", `${unable} Use a newer browser, or verify.py.`);
      globalThis.evidenceVerdict = { schema: SCHEMA, verdict: UNVERIFIABLE, exit_code: 3, findings: [{ verdict: UNVERIFIABLE, object: "bundle", reason: unable }] };
      return;
    }
    const held = byId("bundle").textContent;
    if (held) await this.verify(await this.unpackedFrom(held), true);
    else showBanner("waiting", "other", "No bundle yet", "Drop the bundle's zip on this page. It is read here and nowhere else.");
  }

  async unpackedFrom(text) {
    const data = new Uint8Array(Math.floor((text.length * 3) / 4) - (text.match(/=*$/)?.[0].length ?? 0));
    const work = new Work();
    for (let at = 0, to = 0; at < text.length; at += 2 ** 18) {
      const piece = atob(text.slice(at, at + 2 ** 18));
      for (let offset = 0; offset < piece.length; offset += 1) data[to + offset] = piece.charCodeAt(offset);
      to += piece.length;
      await work.pace();
    }
    work.close();
    return data;
  }

  async verify(data, isEmbedded) {
    globalThis.evidenceVerdict = null;
    this.work?.cancel();
    const work = new Work((step, part) => this.tell(step, part));
    this.work = work;
    showChecking();
    byId("summary").classList.add("unknown");
    byId("work").hidden = false;
    try {
      this.bundle = await readBundle(data, work, isEmbedded);
      await this.judge();
      this.sessions.show(this.bundle);
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
      if (this.work === work) showBanner("waiting", "unsure", "Cancelled", "The check was cancelled: nothing is known of this bundle.");
    } finally {
      globalThis.evidenceWork = { elapsed: performance.now() - work.begun, longest: work.longest };
      work.close();
      if (this.work === work) byId("work").hidden = true;
    }
  }

  tell(step, part) {
    byId("progress").value = part;
    byId("step").textContent = step;
  }

  /** The verdict with the keys and the pin that are there. */
  async judge() {
    const given = [...this.keys.map((key) => `key ${key.name}+${key.id}`), ...(this.pin ? [`pin of ${this.pin.checkpoint.origin} at ${this.pin.checkpoint.size}`] : [])];
    fill(byId("given"), given.map((words) => el("li", { class: "chip none mono" }, words)));
    byId("held").hidden = !given.length;
    byId("inputs").classList.toggle("slim", given.length > 0 && this.bundle !== null);
    byId("inputs").classList.remove("open");
    if (!this.bundle) return;
    await applyTrust(this.bundle, this.keys, this.pin);
    const verdict = verdictOf(this.bundle);
    showVerdict(this.bundle, verdict, this.keys.length > 0 || this.pin !== null);
    showSummary(this.bundle, verdict, this.openRow);
    byId("summary").classList.remove("unknown");
    this.records.show(this.bundle);
    showFiles(this.bundle);
    this.sessions.bundle = this.bundle;
    if (this.sessions.current) this.sessions.refresh();
    globalThis.evidenceVerdict = verdict;
  }

  async open(grant) {
    if (this.bundle?.statement?.content !== "sealed") throw new UsageError("This grant is for a bundle with sealed content; first drop that.");
    const work = new Work((step, part) => this.tell(step, part));
    const found = await readGrant(grant, this.bundle, Date.now());
    const opened = await openSealed(this.bundle, found, this.bundle.proofs, work);
    work.close();
    this.say(`The grant opened the content of ${counted(opened, "record")}. It ends ${readTime(found.expires_at)} UTC.`);
    await this.judge();
  }
}

new Page().start().catch((error) => {
  showBanner(UNVERIFIABLE, "unsure", "This page failed", `An error of this page, and no verdict: ${shortly(String(error?.message ?? error), 200)}. Use verify.py.`);
  globalThis.evidenceVerdict = { schema: SCHEMA, verdict: UNVERIFIABLE, exit_code: 70, findings: [] };
});
