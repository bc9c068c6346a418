// What Apache POI reads of each workbook: one line of JSON a file.
// java -cp JARS Poi.java file|events FILE...     (the form: conformance/views.py)

import java.io.File;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.SAXParserFactory;
import org.apache.poi.openxml4j.opc.OPCPackage;
import org.apache.poi.openxml4j.opc.PackageAccess;
import org.apache.poi.ss.usermodel.*;
import org.apache.poi.ss.util.CellReference;
import org.apache.poi.util.XMLHelper;
import org.apache.poi.xssf.eventusermodel.ReadOnlySharedStringsTable;
import org.apache.poi.xssf.eventusermodel.XSSFReader;
import org.apache.poi.xssf.eventusermodel.XSSFSheetXMLHandler;
import org.apache.poi.xssf.usermodel.*;
import org.xml.sax.InputSource;
import org.xml.sax.XMLReader;

public class Poi {
    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i++) {
            Object said;
            try {
                said = args[0].equals("events") ? events(new File(args[i])) : file(new File(args[i]));
            } catch (Throwable error) {
                said = map("error", String.valueOf(error));
            }
            StringBuilder text = new StringBuilder();
            json(said, text);
            System.out.write((text + "\n").getBytes("UTF-8"));
            System.out.flush();
        }
    }

    // The workbook in memory

    static Object file(File file) throws Exception {
        try (XSSFWorkbook book = new XSSFWorkbook(OPCPackage.open(file, PackageAccess.READ))) {
            List<Object> sheets = new ArrayList<>();
            for (Sheet sheet : book) sheets.add(sheet((XSSFSheet) sheet));
            Map<String, Object> told = new LinkedHashMap<>(), names = new LinkedHashMap<>(), custom = new LinkedHashMap<>();
            for (Name name : book.getAllNames())
                if (!name.getNameName().startsWith("_xlnm.")) names.put(name.getNameName(), name.getRefersToFormula());
            told.put("names", names);
            var core = book.getProperties().getCoreProperties();
            told.put("title", core.getTitle());
            told.put("author", core.getCreator());
            told.put("company", book.getProperties().getExtendedProperties().getCompany());
            told.put("created", core.getCreated() == null ? null : core.getCreated().toInstant().toString());
            for (var it : book.getProperties().getCustomProperties().getUnderlyingProperties().getPropertyList())
                custom.put(it.getName(), it.isSetI4() ? (Object) (double) it.getI4() : it.isSetBool() ? (Object) it.getBool()
                    : it.isSetR8() ? (Object) it.getR8() : it.isSetLpwstr() ? it.getLpwstr()
                    : it.isSetFiletime() ? it.getFiletime().toInstant().toString() : "?");
            told.put("custom", custom);
            return map("sheets", sheets, "told", told);
        }
    }

    static Object sheet(XSSFSheet sheet) {
        List<Object> rows = new ArrayList<>();
        Map<String, Object> told = new LinkedHashMap<>();
        for (String key : "formats shown bold italic underline color background font size align valign wrap border links notes widths".split(" "))
            told.put(key, new LinkedHashMap<String, Object>());
        int columns = 0;
        for (int r = 0; r <= sheet.getLastRowNum(); r++) {
            List<Object> cells = new ArrayList<>();
            Row row = sheet.getRow(r);
            for (int c = 0; row != null && c < row.getLastCellNum(); c++) {
                XSSFCell cell = (XSSFCell) row.getCell(c);
                cells.add(cell == null ? null : cell(cell));
                if (cell != null) looks(told, cell);
                columns = Math.max(columns, c + 1);
            }
            rows.add(cells);
        }
        List<Object> hidden = new ArrayList<>();
        for (int c = 0; c < columns; c++) {
            String letters = CellReference.convertNumToColString(c);
            put(told, "widths", letters, sheet.getColumnWidth(c) / 256.0);
            if (sheet.isColumnHidden(c)) hidden.add(letters);
        }
        told.put("hidden", hidden);
        whole(told, sheet);
        return map("name", sheet.getSheetName(), "rows", rows, "told", told);
    }

    static Object cell(Cell cell) {
        boolean formula = cell.getCellType() == CellType.FORMULA;
        String text = formula ? cell.getCellFormula() : null;
        switch (formula ? cell.getCachedFormulaResultType() : cell.getCellType()) {
            case NUMERIC:
                return form(DateUtil.isCellDateFormatted(cell) ? "moment" : "number", cell.getNumericCellValue(), text);
            case STRING: return form("text", cell.getStringCellValue(), text);
            case BOOLEAN: return form("bool", cell.getBooleanCellValue(), text);
            case ERROR: return form("error", FormulaError.forInt(cell.getErrorCellValue()).getString(), text);
            default: return null;
        }
    }

    static void looks(Map<String, Object> told, XSSFCell cell) {
        String at = cell.getAddress().formatAsString();
        XSSFCellStyle style = cell.getCellStyle();
        XSSFFont font = style.getFont();
        if (!style.getDataFormatString().equals("General")) put(told, "formats", at, style.getDataFormatString());
        put(told, "shown", at, SHOWN.formatCellValue(cell));
        if (font.getBold()) put(told, "bold", at, true);
        if (font.getItalic()) put(told, "italic", at, true);
        if (font.getUnderline() != Font.U_NONE) put(told, "underline", at, true);
        put(told, "color", at, rgb(font.getXSSFColor()));
        put(told, "font", at, font.getFontName());
        put(told, "size", at, (double) font.getFontHeight() / 20);
        if (style.getFillPattern() == FillPatternType.SOLID_FOREGROUND)
            put(told, "background", at, rgb(style.getFillForegroundXSSFColor()));
        if (style.getAlignment() != HorizontalAlignment.GENERAL)
            put(told, "align", at, style.getAlignment().name().toLowerCase());
        put(told, "valign", at, style.getVerticalAlignment().name().toLowerCase());
        if (style.getWrapText()) put(told, "wrap", at, true);
        if (style.getBorderTop() != BorderStyle.NONE) put(told, "border", at, style.getBorderTop().name().toLowerCase());
        if (cell.getHyperlink() != null)
            put(told, "links", at, cell.getHyperlink().getType() == org.apache.poi.common.usermodel.HyperlinkType.DOCUMENT
                ? "#" + cell.getHyperlink().getLocation() : cell.getHyperlink().getAddress());
        if (cell.getCellComment() != null) put(told, "notes", at, cell.getCellComment().getString().getString());
    }

    static final DataFormatter SHOWN = new DataFormatter(java.util.Locale.ROOT);
    static { SHOWN.setUseCachedValuesForFormulaCells(true); }

    static void whole(Map<String, Object> told, XSSFSheet sheet) {
        var pane = sheet.getPaneInformation();
        told.put("frozen", pane != null && pane.isFreezePane()
            ? List.of((double) pane.getHorizontalSplitPosition(), (double) pane.getVerticalSplitPosition()) : List.of(0.0, 0.0));
        var xml = sheet.getCTWorksheet();
        told.put("filter", xml.isSetAutoFilter() ? xml.getAutoFilter().getRef() : null);
        List<Object> merged = new ArrayList<>(), rules = new ArrayList<>(), validations = new ArrayList<>(), tables = new ArrayList<>();
        sheet.getMergedRegions().forEach(range -> merged.add(range.formatAsString()));
        told.put("merged", merged);
        var formats = sheet.getSheetConditionalFormatting();
        for (int i = 0; i < formats.getNumConditionalFormattings(); i++) {
            var on = formats.getConditionalFormattingAt(i);
            for (int j = 0; j < on.getNumberOfRules(); j++)
                rules.add(List.of(on.getFormattingRanges()[0].formatAsString(), RULES.getOrDefault(
                    on.getRule(j).getConditionType().type, on.getRule(j).getConditionType().type)));
        }
        told.put("rules", rules);
        for (var it : sheet.getDataValidations())
            validations.add(List.of(it.getRegions().getCellRangeAddress(0).formatAsString(),
                VALIDATIONS[it.getValidationConstraint().getValidationType()]));
        told.put("validations", validations);
        for (XSSFTable table : sheet.getTables()) {
            List<Object> columns = new ArrayList<>();
            table.getColumns().forEach(column -> columns.add(column.getName()));
            tables.add(map("name", table.getName(), "ref", table.getCTTable().getRef(), "columns", columns,
                "totals", table.getTotalsRowCount() > 0, "style", table.getStyleName()));
        }
        told.put("tables", tables);
        told.put("tab", rgb(sheet.getTabColor()));
        told.put("rtl", sheet.isRightToLeft());
        var view = xml.getSheetViews().getSheetViewArray(0);
        told.put("zoom", view.isSetZoomScale() ? (double) view.getZoomScale() : 100.0);
        told.put("landscape", sheet.getPrintSetup().getLandscape());
        told.put("fit", sheet.getFitToPage());
        var repeat = sheet.getRepeatingRows();
        told.put("repeat", repeat == null ? null : (repeat.getFirstRow() + 1) + ":" + (repeat.getLastRow() + 1));
        told.put("protected", sheet.getProtect());
        told.put("password", sheet.getProtect() && sheet.validateSheetPassword("secret"));
    }

    static final Map<Object, String> RULES = Map.of(
        ConditionType.CELL_VALUE_IS.type, "cellIs", ConditionType.FORMULA.type, "expression",
        ConditionType.COLOR_SCALE.type, "colorScale", ConditionType.DATA_BAR.type, "dataBar");
    static final String[] VALIDATIONS = {"any", "whole", "decimal", "list", "date", "time", "textLength", "custom"};

    static String rgb(XSSFColor color) {
        if (color == null || color.getARGBHex() == null) return null;
        return color.getARGBHex().substring(2);
    }

    // The workbook as events, which is how POI reads large ones; its text is as shown on the screen

    static Object events(File file) throws Exception {
        try (OPCPackage opc = OPCPackage.open(file, PackageAccess.READ)) {
            XSSFReader reader = new XSSFReader(opc);
            ReadOnlySharedStringsTable strings = new ReadOnlySharedStringsTable(opc);
            List<Object> sheets = new ArrayList<>();
            var parts = (XSSFReader.SheetIterator) reader.getSheetsData();
            while (parts.hasNext()) {
                try (InputStream part = parts.next()) {
                    List<Object> rows = new ArrayList<>();
                    XMLReader parser = XMLHelper.newXMLReader();
                    parser.setContentHandler(new XSSFSheetXMLHandler(reader.getStylesTable(), null, strings, shown(rows), SHOWN, false));
                    parser.parse(new InputSource(part));
                    sheets.add(map("name", parts.getSheetName(), "rows", rows, "told", map()));
                }
            }
            return map("sheets", sheets, "told", map());
        }
    }

    static XSSFSheetXMLHandler.SheetContentsHandler shown(List<Object> rows) {
        return new XSSFSheetXMLHandler.SheetContentsHandler() {
            public void startRow(int row) {
                while (rows.size() <= row) rows.add(new ArrayList<Object>());
            }
            public void endRow(int row) {}
            @SuppressWarnings("unchecked")
            public void cell(String at, String text, XSSFComment comment) {
                CellReference place = new CellReference(at);
                List<Object> cells = (List<Object>) rows.get(place.getRow());
                while (cells.size() <= place.getCol()) cells.add(null);
                cells.set(place.getCol(), form("shown", text, null));
            }
        };
    }

    // Its JSON

    static List<Object> form(String kind, Object value, String formula) {
        List<Object> it = new ArrayList<>();
        it.add(kind);
        it.add(value);
        it.add(formula);
        return it;
    }

    @SuppressWarnings("unchecked")
    static void put(Map<String, Object> told, String key, String at, Object value) {
        if (value != null) ((Map<String, Object>) told.get(key)).put(at, value);
    }

    static Map<String, Object> map(Object... pairs) {
        Map<String, Object> it = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) it.put((String) pairs[i], pairs[i + 1]);
        return it;
    }

    static void json(Object value, StringBuilder to) {
        if (value instanceof Map<?, ?> map) {
            String comma = "{";
            if (map.isEmpty()) to.append("{");
            for (var pair : map.entrySet()) {
                to.append(comma);
                json(String.valueOf(pair.getKey()), to);
                to.append(":");
                json(pair.getValue(), to);
                comma = ",";
            }
            to.append("}");
        } else if (value instanceof List<?> list) {
            String comma = "[";
            if (list.isEmpty()) to.append("[");
            for (Object it : list) {
                to.append(comma);
                json(it, to);
                comma = ",";
            }
            to.append("]");
        } else if (value instanceof String text) {
            to.append('"');
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if (c == '"' || c == '\\') to.append('\\').append(c);
                else if (c < ' ' || c > '~') to.append(String.format("\\u%04x", (int) c));
                else to.append(c);
            }
            to.append('"');
        } else to.append(value);
    }
}
