# What readxl or openxlsx reads of each workbook: one line of JSON a file.
# Rscript excel.R readxl|openxlsx FILE...     (the form: conformance/views.py)

asked <- commandArgs(TRUE)

text <- function(it) {
  it <- enc2utf8(it)
  special <- grepl("[\"\\\\\\x01-\\x1f\\x7f]", it, perl = TRUE, useBytes = TRUE)
  if (any(special)) it[special] <- vapply(it[special], escaped, "", USE.NAMES = FALSE)
  paste0("\"", it, "\"")
}

escaped <- function(it) {
  codes <- utf8ToInt(it)
  marks <- strsplit(it, "")[[1]]
  hidden <- codes < 32 | codes == 127
  marks[hidden] <- sprintf("\\u%04x", codes[hidden])
  quoted <- codes == 34 | codes == 92
  marks[quoted] <- paste0("\\", marks[quoted])
  paste(marks, collapse = "")
}

form <- function(kind, value) paste0("[\"", kind, "\",", value, ",null]")

cell <- function(it) {
  if (length(it) != 1 || is.na(it)) return("null")
  if (is.logical(it)) return(form("bool", if (it) "true" else "false"))
  if (inherits(it, "POSIXct")) return(form("moment", sprintf("%.17g", as.numeric(it) / 86400 + 25569)))
  if (is.numeric(it)) return(form("number", sprintf("%.17g", it)))
  form("text", text(it))
}

cells <- function(column) vapply(column, cell, "")

# All cells of a column have one type: what they are is not to be told from their text.
shown <- function(column) {
  found <- if (is.numeric(column)) sprintf("%.15g", column) else as.character(column)
  ifelse(is.na(column), "null", form("shown", text(found)))
}

rows <- function(frame, one) {
  if (!length(frame)) return("[]")
  lines <- do.call(paste, c(lapply(unname(as.list(frame)), one), sep = ","))
  paste0("[", paste0("[", lines, "]", collapse = ","), "]")
}

readers <- list(
  readxl = function(file) {
    names <- readxl::excel_sheets(file)
    everything <- cellranger::cell_limits(c(1, 1), c(NA, NA))
    sheets <- lapply(names, function(name) {
      rows(suppressMessages(suppressWarnings(readxl::read_excel(
        file, name, range = everything, col_names = FALSE, col_types = "list", trim_ws = FALSE, progress = FALSE
      ))), cells)
    })
    list(names, sheets)
  },
  openxlsx = function(file) {
    names <- openxlsx::getSheetNames(file)
    sheets <- lapply(seq_along(names), function(at) {
      frame <- suppressWarnings(openxlsx::read.xlsx(
        file, at, colNames = FALSE, skipEmptyRows = FALSE, skipEmptyCols = FALSE, na.strings = character()
      ))
      if (is.null(frame)) "[]" else rows(frame, shown)
    })
    list(names, sheets)
  }
)

for (file in asked[-1]) {
  said <- tryCatch({
    found <- readers[[asked[[1]]]](file)
    sheets <- mapply(function(name, rows) {
      paste0("{\"name\":", text(name), ",\"rows\":", rows, ",\"told\":{}}")
    }, found[[1]], found[[2]])
    paste0("{\"sheets\":[", paste(sheets, collapse = ","), "],\"told\":{}}")
  }, error = function(problem) paste0("{\"error\":", text(conditionMessage(problem)), "}"))
  cat(said, "\n", sep = "")
}
