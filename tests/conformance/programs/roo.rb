# What roo reads of each workbook: one line of JSON a file.
# ruby roo.rb FILE...     (the form: conformance/views.py)
require "json"
require "roo"

$stderr = File.open(File::NULL, "w")
EPOCH = DateTime.new(1899, 12, 30)

def form_of(value, type)
  case value
  when nil then nil
  when true, false then ["bool", value, nil]
  when DateTime, Date then ["moment", (value.to_datetime - EPOCH).to_f, nil]
  when Numeric
    return ["moment", value / 86_400.0, nil] if %i[time duration].include?(type)
    ["number", value, nil]
  else
    return ["bool", value == "true", nil] if type == :boolean
    ["text", value.to_s, nil]
  end
end

def cell(sheet, row, column)
  type = sheet.celltype(row, column)
  formula = sheet.formula(row, column)
  made = form_of(sheet.cell(row, column), type)
  return made if formula.nil? || formula == true || formula == false

  [*(made || ["text", ""])[0, 2], formula.to_s.sub(/\A=/, "")]
end

ARGV.each do |file|
  begin
    book = Roo::Spreadsheet.open(file)
    sheets = book.sheets.map do |name|
      sheet = book.sheet(name)
      rows = (1..(sheet.last_row || 0)).map do |row|
        (1..(sheet.last_column || 0)).map { |column| cell(sheet, row, column) }
      end
      { name: name, rows: rows, told: {} }
    end
    said = { sheets: sheets, told: {} }
  rescue StandardError, NotImplementedError => e
    said = { error: "#{e.class}: #{e.message}" }
  end
  puts JSON.generate(said)
end
