// What exceljs reads of each workbook: one line of JSON a file.
// node exceljs.cjs file|stream FILE...     (the form: conformance/views.py)
"use strict";
const ExcelJS = require("exceljs");

const EPOCH = Date.UTC(1899, 11, 30);
const DAY = 86400000;

function formOf(value) {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return ["moment", (value.getTime() - EPOCH) / DAY, null];
  if (typeof value === "number") return ["number", value, null];
  if (typeof value === "boolean") return ["bool", value, null];
  if (typeof value === "string") return ["text", value, null];
  if (value.richText) return ["text", value.richText.map((run) => run.text).join(""), null];
  if (value.error) return ["error", value.error, null];
  if ("formula" in value || "sharedFormula" in value) {
    const cached = formOf(value.result) || ["text", "", null];
    return [cached[0], cached[1], value.formula || value.sharedFormula];
  }
  if ("hyperlink" in value) return formOf(value.text);
  return ["text", JSON.stringify(value), null];
}

const letters = (number) => {
  let text = "";
  for (let n = number; n > 0; n = Math.floor((n - 1) / 26)) text = String.fromCharCode(65 + ((n - 1) % 26)) + text;
  return text;
};
const rgb = (color) => (color && color.argb ? color.argb.slice(-6) : undefined);
const set = (dict, key, value) => { if (value !== undefined && value !== null && value !== false) dict[key] = value; };

function looks(it, cell) {
  const at = cell.address;
  const { font = {}, fill = {}, alignment = {}, border = {} } = cell;
  if (cell.numFmt && cell.numFmt !== "General") it.formats[at] = cell.numFmt;
  set(it.bold, at, font && font.bold);
  set(it.italic, at, font && font.italic);
  set(it.underline, at, font && !!font.underline);
  set(it.color, at, rgb(font && font.color));
  set(it.font, at, font && font.name);
  set(it.size, at, font && font.size);
  if (fill && fill.pattern === "solid") set(it.background, at, rgb(fill.fgColor));
  set(it.align, at, alignment && alignment.horizontal);
  set(it.valign, at, alignment && (alignment.vertical === "middle" ? "center" : alignment.vertical));
  set(it.wrap, at, alignment && alignment.wrapText);
  set(it.border, at, border && border.top && border.top.style);
  if (cell.note) set(it.notes, at, typeof cell.note === "string" ? cell.note : cell.note.texts.map((t) => t.text).join(""));
  set(it.links, at, cell.hyperlink);
}

function told(sheet) {
  const it = { formats: {}, bold: {}, italic: {}, underline: {}, color: {}, font: {}, size: {}, background: {},
    align: {}, valign: {}, wrap: {}, border: {}, links: {}, notes: {}, widths: {}, hidden: [] };
  sheet.eachRow((row) => row.eachCell((cell) => looks(it, cell)));
  for (let c = 1; c <= sheet.columnCount; c++) {
    const column = sheet.getColumn(c);
    if (column.width) it.widths[letters(c)] = column.width;
    if (column.hidden) it.hidden.push(letters(c));
  }
  const view = (sheet.views || [])[0] || {};
  it.frozen = view.state === "frozen" ? [view.ySplit || 0, view.xSplit || 0] : [0, 0];
  it.rtl = !!view.rightToLeft;
  it.zoom = view.zoomScale;
  const filter = sheet.autoFilter;
  it.filter = filter ? (typeof filter === "string" ? filter : filter.ref || null) : null;
  it.merged = sheet.model.merges || [];
  it.tab = rgb(sheet.properties.tabColor) || null;
  it.landscape = sheet.pageSetup.orientation === "landscape";
  it.fit = !!sheet.pageSetup.fitToPage;
  it.repeat = sheet.pageSetup.printTitlesRow || null;
  it.rules = (sheet.conditionalFormattings || []).flatMap((on) => on.rules.map((rule) => [on.ref, rule.type]));
  it.tables = Object.values(sheet.tables || {}).map(({ table }) => ({
    name: table.name, ref: table.tableRef, columns: table.columns.map((c) => c.name), totals: !!table.totalsRow,
    style: table.style && table.style.theme,
  }));
  it.protected = !!(sheet.model.sheetProtection || sheet.sheetProtection);
  it.validations = validations(sheet.dataValidations.model || {});
  return it;
}

// exceljs keeps a rule a cell: told by the first and the last cell of each column.
function validations(model) {
  const columns = {};
  for (const [at, rule] of Object.entries(model)) {
    const found = /^(?:range:)?([A-Z]+)(\d+)(?::[A-Z]+(\d+))?$/.exec(at);
    if (!found) return [[at, rule.type]];
    const [, letter, first, last] = found;
    const it = (columns[letter] = columns[letter] || { type: rule.type, from: Infinity, to: 0 });
    it.from = Math.min(it.from, +first);
    it.to = Math.max(it.to, +(last || first));
  }
  return Object.entries(columns).map(([c, it]) => [`${c}${it.from}:${c}${it.to}`, it.type]);
}

function named(book) {
  const names = {};
  for (const { name, ranges } of book.definedNames.model) names[name] = ranges.join(",");
  return names;
}

async function file(path) {
  const book = new ExcelJS.Workbook();
  await book.xlsx.readFile(path);
  const sheets = book.worksheets.map((sheet) => {
    const rows = [];
    for (let r = 1; r <= sheet.rowCount; r++) {
      const row = [];
      const found = sheet.findRow(r);
      for (let c = 1; found && c <= found.cellCount; c++) {
        const cell = found.getCell(c);
        row.push(cell.isMerged && cell.master !== cell ? null : formOf(cell.value));
      }
      rows.push(row);
    }
    return { name: sheet.name, rows, told: told(sheet) };
  });
  const properties = { title: book.title, author: book.creator, company: book.company };
  if (book.created) properties.created = book.created.toISOString().replace(".000", "");
  return { sheets, told: { names: named(book), ...properties } };
}

async function stream(path) {
  const options = { worksheets: "emit", sharedStrings: "cache", hyperlinks: "ignore", styles: "cache", entries: "ignore" };
  const sheets = [];
  for await (const sheet of new ExcelJS.stream.xlsx.WorkbookReader(path, options)) {
    const rows = [];
    for await (const row of sheet) {
      while (rows.length < row.number - 1) rows.push([]);
      rows.push(Array.from({ length: row.cellCount }, (_, c) => formOf(row.getCell(c + 1).value)));
    }
    sheets.push({ name: sheet.name === undefined ? null : sheet.name, rows, told: {} });
  }
  return { sheets, told: {} };
}

// The reader of streams fails now and then, in a race of its own: it is asked again.
async function tried(read, path, times) {
  try {
    return await read(path);
  } catch (error) {
    return times > 1 ? tried(read, path, times - 1) : { error: String((error && error.message) || error) };
  }
}

(async () => {
  const read = { file, stream }[process.argv[2]];
  for (const path of process.argv.slice(3)) {
    const said = await tried(read, path, process.argv[2] === "stream" ? 10 : 1);
    process.stdout.write(JSON.stringify(said) + "\n");
  }
})();
