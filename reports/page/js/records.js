/* The table of records: a verdict beside each row, filters, and the row's bytes on a click. */

const COLUMNS = [
  ["Verdict", (row, bundle) => badge(...rowVerdict(row, bundle))],
  ["Time (UTC)", (row) => el("span", { class: "mono", title: localTime(rowTime(row)) }, row.line ? readTime(rowTime(row)) : "")],
  ["Kind", (row) => shortly(row.line?.kind ?? "", 40)],
  ["Source", (row) => shortly(String(row.line?.source ?? ""), 40)],
  ["Session", (row) => el("span", { class: "mono" }, shortly(String(row.line?.session ?? ""), 40))],
  ["Model", (row) => (row.line ? shortly(String(modelOf(row.line)), 40) : "")],
  ["Outcome", (row) => (row.line ? outcomeChip(row.line) : "")],
  ["Content", (row) => badge(...contentState(row))],
  ["Record", (row) => el("span", { class: "mono" }, row.record.slice(0, 12))],
  ["Place", (row) => el("span", { class: "mono", title: `Partition ${row.partition}, row ${row.row}` }, `${row.partition}:${row.row}`)],
];

function outcomeChip(line) {
  const outcome = outcomeOf(line);
  return outcome ? el("span", { class: `chip ${toneOf(outcome)}` }, shortly(String(outcome), 24)) : "";
}

class RecordsView {
  constructor(openRow) {
    this.openRow = openRow;
    this.bundle = null;
    this.list = new RowList(30, (row) => this.drawRow(row), { "aria-label": "Records" });
    this.search = el("input", { type: "search", placeholder: "Search in lines: id, session, model…", "aria-label": "Search in record lines", oninput: () => this.later() });
    this.filters = {
      verdict: el("select", { "aria-label": "Verdict", onchange: () => this.filter() }),
      kind: el("select", { "aria-label": "Kind", onchange: () => this.filter() }),
      content: el("select", { "aria-label": "Content", onchange: () => this.filter() }),
    };
    this.scope = el("select", { "aria-label": "Rows", onchange: () => this.filter() }, el("option", { value: "sample" }, "Rows of the sample"), el("option", { value: "all" }, "The whole population"));
    this.count = el("span", { class: "count", role: "status" });
    const bar = el("div", { class: "bar" }, this.search, this.scope, Object.values(this.filters), this.count);
    const head = el("div", { class: "row head" }, COLUMNS.map(([name]) => el("span", {}, name)));
    this.note = el("p", { class: "print-only" }, "The table of records is for the screen; the records are in data/records.jsonl.");
    fill(byId("records"), bar, el("div", { class: "grid" }, head, this.list.box), this.note);
  }

  show(bundle) {
    this.bundle = bundle;
    this.rows = [...bundle.population, ...bundle.context];
    const options = (select, all, values) => {
      const before = select.value;
      fill(select, el("option", { value: "" }, all), [...new Set(values)].sort().map((value) => el("option", { value }, value)));
      select.value = [...select.options].some((option) => option.value === before) ? before : "";
    };
    this.scope.hidden = !bundle.statement?.sampled;
    options(this.filters.verdict, "All verdicts", this.rows.map((row) => rowVerdict(row, bundle)[2]));
    options(this.filters.kind, "All kinds", this.rows.map((row) => String(row.line?.kind ?? "")).filter(Boolean));
    options(this.filters.content, "All content", this.rows.map((row) => contentState(row)[2]));
    this.filter();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.filter(), 150);
  }

  filter() {
    if (!this.bundle) return;
    const wanted = this.search.value.trim().toLowerCase();
    const isSample = !this.scope.hidden && this.scope.value === "sample";
    const { verdict, kind, content } = Object.fromEntries(Object.entries(this.filters).map(([name, select]) => [name, select.value]));
    const found = this.rows.filter(
      (row) =>
        (!isSample || row.bytes !== null || row.problem) && (!verdict || rowVerdict(row, this.bundle)[2] === verdict) && (!kind || row.line?.kind === kind) &&
        (!content || contentState(row)[2] === content) && (!wanted || searchText(row).includes(wanted)),
    );
    this.list.show(found);
    const context = this.bundle.context.length ? `, ${this.bundle.context.length.toLocaleString("en")} of them only for completeness or as accesses` : "";
    fill(this.count, `${found.length.toLocaleString("en")} of ${counted(this.rows.length, "row")}${context}`);
  }

  drawRow(row) {
    const cells = COLUMNS.map(([, cell]) => el("span", {}, cell(row, this.bundle)));
    return el("div", { class: `row${row.isContext ? " context" : ""}${row.problem === "tampered" ? " bad" : ""}`, "data-record": row.record, onclick: () => this.openRow(row) }, cells);
  }
}

/** What a search looks in: the line as it is, and the record's id. */
function searchText(row) {
  row.search ??= `${row.record} ${row.bytes ? new TextDecoder().decode(row.bytes) : ""}`.toLowerCase();
  return row.search;
}
