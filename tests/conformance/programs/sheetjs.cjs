// What SheetJS reads of each workbook: one line of JSON a file.
// node sheetjs.cjs MODULE FILE...     (the form: conformance/views.py)
"use strict";
const fs = require("fs");
const XLSX = require(process.argv[2]);

const EPOCH = Date.UTC(1899, 11, 30);
const DAY = 86400000;

function formOf(cell) {
  if (!cell || cell.t === "z" || cell.v === undefined) return null;
  const formula = cell.f === undefined ? null : cell.f;
  const kind = { s: "text", n: "number", b: "bool", d: "moment", e: "error" }[cell.t];
  let value = cell.v;
  if (cell.t === "d") value = (cell.v.getTime() - EPOCH) / DAY;
  if (cell.t === "e") value = String(cell.w);
  return [kind, value, formula];
}

// It reads neither looks nor columns of ODS.
function told(sheet, ods) {
  const it = { formats: {}, shown: {}, background: {}, links: {}, notes: {}, widths: {}, hidden: [], merged: [] };
  for (const [at, cell] of Object.entries(sheet)) {
    if (at.startsWith("!")) continue;
    if (cell.z && cell.z !== "General") it.formats[at] = cell.z;
    if (cell.w !== undefined) it.shown[at] = cell.w;
    if (cell.l && cell.l.Target) it.links[at] = cell.l.Target;
    if (cell.c && cell.c.length) it.notes[at] = cell.c.map((c) => c.t).join("");
    if (cell.s && cell.s.patternType === "solid" && cell.s.fgColor && cell.s.fgColor.rgb)
      it.background[at] = cell.s.fgColor.rgb.slice(-6);
  }
  (sheet["!cols"] || []).forEach((col, i) => {
    if (!col) return;
    const letter = XLSX.utils.encode_col(i);
    if (col.width) it.widths[letter] = col.width;
    if (col.hidden) it.hidden.push(letter);
  });
  if (ods) {
    for (const key of ["formats", "shown", "background", "widths", "hidden"]) delete it[key];
  }
  it.merged = (sheet["!merges"] || []).map((range) => XLSX.utils.encode_range(range));
  if (!ods) it.filter = sheet["!autofilter"] ? sheet["!autofilter"].ref : null;
  return it;
}

for (const file of process.argv.slice(3)) {
  let said;
  try {
    const book = XLSX.read(fs.readFileSync(file), {
      type: "buffer", cellDates: true, cellNF: true, cellStyles: true, bookFiles: false, sheetStubs: false,
    });
    const sheets = book.SheetNames.map((name) => {
      const sheet = book.Sheets[name];
      const rows = [];
      if (sheet["!ref"]) {
        const end = XLSX.utils.decode_range(sheet["!ref"]).e;
        for (let r = 0; r <= end.r; r++) {
          const row = [];
          for (let c = 0; c <= end.c; c++) row.push(formOf(sheet[XLSX.utils.encode_cell({ r, c })]));
          rows.push(row);
        }
      }
      return { name, rows, told: told(sheet, file.endsWith(".ods")) };
    });
    const names = {};
    for (const it of (book.Workbook && book.Workbook.Names) || []) if (!it.Hidden) names[it.Name] = it.Ref;
    const props = book.Props || {};
    const properties = { title: props.Title, author: props.Author, company: props.Company };
    if (props.CreatedDate) properties.created = new Date(props.CreatedDate).toISOString().replace(".000", "");
    const custom = {};
    for (const [name, value] of Object.entries(book.Custprops || {}))
      custom[name] = value instanceof Date ? value.toISOString().replace(".000", "") : value;
    said = { sheets, told: { names, ...properties, custom } };
  } catch (error) {
    said = { error: String(error && error.message || error) };
  }
  process.stdout.write(JSON.stringify(said) + "\n");
}
