// What xlsx-populate reads of each workbook: one line of JSON a file.
// node populate.cjs FILE...     (the form: conformance/views.py)
"use strict";
const XlsxPopulate = require("xlsx-populate");

// It has numbers for dates, and the format.
const dated = (code) => /[ymdhs]/i.test(String(code).replace(/"[^"]*"|\\.|\[(?![hms]+\])[^\]]*\]|General/gi, ""));

function formOf(cell) {
  let value = cell.value();
  const formula = cell.formula();
  if (value instanceof XlsxPopulate.RichText) value = value.text();
  let form = null;
  if (typeof value === "number") form = [dated(cell.style("numberFormat")) ? "moment" : "number", value, null];
  else if (typeof value === "boolean") form = ["bool", value, null];
  else if (typeof value === "string") form = ["text", value, null];
  else if (value !== undefined && value !== null) form = ["error", value.error(), null];
  if (formula === undefined) return form;
  const [kind, cached] = form || ["text", ""];
  return [kind, cached, formula];
}

function sheetOf(sheet) {
  const told = { formats: {}, bold: {}, links: {} };
  const rows = [];
  const used = sheet.usedRange();
  const last = used ? [used.endCell().rowNumber(), used.endCell().columnNumber()] : [0, 0];
  for (let r = 1; r <= last[0]; r++) {
    const row = [];
    for (let c = 1; c <= last[1]; c++) {
      const cell = sheet.row(r).cell(c);
      row.push(formOf(cell));
      const at = cell.address();
      const format = cell.style("numberFormat");
      if (format && format !== "General") told.formats[at] = format;
      if (cell.style("bold")) told.bold[at] = true;
      const link = cell.hyperlink();
      if (link) told.links[at] = link;
    }
    rows.push(row);
  }
  return { name: sheet.name(), rows, told };
}

(async () => {
  for (const file of process.argv.slice(2)) {
    let said;
    try {
      const book = await XlsxPopulate.fromFileAsync(file);
      said = { sheets: book.sheets().map(sheetOf), told: {} };
    } catch (error) {
      said = { error: String((error && error.message) || error) };
    }
    process.stdout.write(JSON.stringify(said) + "\n");
  }
})();
