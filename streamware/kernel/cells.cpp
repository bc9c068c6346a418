#include "cells.hpp"

#include <datetime.h>

#include <cmath>

namespace {

PyTypeObject *decimal_type = nullptr;

constexpr double DAY = 86'400;
constexpr double DAY_MICROS = 86'400e6;
// Of the last half second of a day a spreadsheet makes the next one; Python decides and counts.
constexpr double LATE = 86'399.5;

template <typename C>
bool has_edge_blank(const C *text, Py_ssize_t length) {
    return length && (is_edge(text[0]) || is_edge(text[length - 1]));
}

}  // namespace

int import_types() {
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) return -1;
    PyObject *module = PyImport_ImportModule("decimal");
    if (module == nullptr) return -1;
    PyObject *found = PyObject_GetAttrString(module, "Decimal");
    Py_DECREF(module);
    if (found == nullptr) return -1;
    Py_XSETREF(decimal_type, reinterpret_cast<PyTypeObject *>(found));
    return 0;
}

void CellWriter::start_row(int64_t number) {
    number_length_ = static_cast<size_t>(put_integer(number_, number) - number_);
    out_.reserve(plan_.row_start.size() + number_length_ + plan_.row_number.size());
    out_.put(plan_.row_start);
    if (plan_.numbered) {
        out_.put({number_, number_length_});
        out_.put(plan_.row_number);
    }
}

Written CellWriter::write(const ColumnPlan &column, PyObject *value) {
    if (value == Py_None) {
        put_empty(column);
        return Written::DONE;
    }
    const PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        return column.types & IS_STR ? put_text(column, value) : Written::ASK;
    }
    if (type == &PyLong_Type) {
        return column.types & IS_INT ? put_int(column, value) : Written::ASK;
    }
    if (type == &PyFloat_Type) {
        const double number = PyFloat_AS_DOUBLE(value);
        const bool known = (column.types & IS_FLOAT) && std::isfinite(number);
        return known ? put_float(column, number, NUMBER) : Written::ASK;
    }
    if (type == &PyBool_Type) {
        if (!(column.types & IS_BOOL)) return Written::ASK;
        open(column, BOOL);
        out_.append(value == Py_True ? plan_.rules->values.yes : plan_.rules->values.no);
        return close(column, BOOL);
    }
    if (type == decimal_type) {
        return column.types & IS_DECIMAL ? put_decimal(column, value) : Written::ASK;
    }
    if (type == PyDateTimeAPI->DateTimeType) return put_moment(column, value);
    if (type == PyDateTimeAPI->DateType) {
        return column.types & IS_DATE ? put_day(column, value) : Written::ASK;
    }
    if (type == PyDateTimeAPI->TimeType) {
        return column.types & IS_TIME ? put_clock(column, value) : Written::ASK;
    }
    if (type == PyDateTimeAPI->DeltaType) {
        return column.types & IS_TIMEDELTA ? put_span(column, value) : Written::ASK;
    }
    return Written::ASK;
}

bool CellWriter::splice(PyObject *written) {
    if (!PyBytes_CheckExact(written)) {
        PyErr_Format(PyExc_TypeError, "a cell must be bytes, not %s", Py_TYPE(written)->tp_name);
        return false;
    }
    out_.append({PyBytes_AS_STRING(written), static_cast<size_t>(PyBytes_GET_SIZE(written))});
    return true;
}

// Leave room for the markup, for any number, and for what `close` appends.
void CellWriter::open(const ColumnPlan &column, Kind kind) {
    const size_t markup = column.reference.size() + column.markup->longest;
    out_.reserve(markup + number_length_ + 2 * LONGEST_NUMBER);
    if (column.numbered) {
        out_.put(column.reference);
        out_.put({number_, number_length_});
    }
    out_.put(column.markup->kinds[kind].before);
}

Written CellWriter::close(const ColumnPlan &column, Kind kind) {
    out_.append(column.markup->kinds[kind].after);
    return Written::DONE;
}

void CellWriter::put_empty(const ColumnPlan &column) { out_.append(column.markup->kinds[EMPTY].before); }

void CellWriter::use_decimal_sign(size_t from) {
    if (plan_.rules->values.decimal == '.') return;
    char *const start = const_cast<char *>(out_.data()) + from;
    const auto length = static_cast<size_t>(out_.at - start);
    if (void *point = std::memchr(start, '.', length)) {
        *static_cast<char *>(point) = plan_.rules->values.decimal;
    }
}

Written CellWriter::put_text(const ColumnPlan &column, PyObject *value) {
    const TextRules &rules = plan_.rules->text;
    const Py_ssize_t length = PyUnicode_GET_LENGTH(value);
    if (length == 0 && rules.empty_blank) {
        put_empty(column);
        return Written::DONE;
    }
    if (length > rules.most || (length == 0 && rules.empty_asked)) return Written::ASK;
    const size_t before = out_.size();
    const auto put = [&](const auto *text) {
        const Kind kind = rules.edges && has_edge_blank(text, length) ? SPACED : TEXT;
        open(column, kind);
        out_.reserve(static_cast<size_t>(length) * rules.longest + 2);
        if (!TextWriter(rules, text, length).write(out_.at)) {
            out_.truncate(before);
            return Written::ASK;
        }
        return close(column, kind);
    };
    switch (PyUnicode_KIND(value)) {
    case PyUnicode_1BYTE_KIND: return put(PyUnicode_1BYTE_DATA(value));
    case PyUnicode_2BYTE_KIND: return put(PyUnicode_2BYTE_DATA(value));
    default: return put(PyUnicode_4BYTE_DATA(value));
    }
}

Written CellWriter::put_int(const ColumnPlan &column, PyObject *value) {
    int overflow = 0;
    const int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
    const int64_t largest = plan_.rules->values.largest;
    if (overflow || (largest && (number > largest || number < -largest))) return Written::ASK;
    open(column, NUMBER);
    out_.at = put_integer(out_.at, number);
    return close(column, NUMBER);
}

Written CellWriter::put_float(const ColumnPlan &column, double value, Kind kind) {
    const size_t before = out_.size();
    open(column, kind);
    const size_t from = out_.size();
    char *const end = put_double(out_.at, value);
    if (end == nullptr) {
        out_.truncate(before);
        return Written::FAILED;
    }
    out_.at = end;
    if (kind == NUMBER) use_decimal_sign(from);
    return close(column, kind);
}

Written CellWriter::put_decimal(const ColumnPlan &column, PyObject *value) {
    PyObject *text = PyObject_Str(value);
    if (text == nullptr) return Written::FAILED;
    const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    const auto *characters = static_cast<const char *>(PyUnicode_DATA(text));
    const Py_ssize_t most = plan_.rules->values.digits;
    // With an exponent, or no number at all, or more digits than a reader keeps.
    bool known = PyUnicode_IS_ASCII(text) && (most == 0 || length <= most);
    for (Py_ssize_t at = 0; known && at < length; ++at) {
        const char c = characters[at];
        known = (c >= '0' && c <= '9') || c == '.' || c == '-';
    }
    if (known) {
        open(column, NUMBER);
        const size_t from = out_.size();
        out_.append({characters, static_cast<size_t>(length)});
        use_decimal_sign(from);
        close(column, NUMBER);
    }
    Py_DECREF(text);
    return known ? Written::DONE : Written::ASK;
}

Written CellWriter::put_day(const ColumnPlan &column, PyObject *value) {
    const int year = PyDateTime_GET_YEAR(value), month = PyDateTime_GET_MONTH(value);
    const int day = PyDateTime_GET_DAY(value);
    if (!plan_.rules->values.serials) {
        open(column, DATE);
        out_.at = put_date(out_.at, year, month, day);
        return close(column, DATE);
    }
    const int64_t serial = days_from_civil(year, month, day) - plan_.rules->values.epoch;
    if (serial < plan_.rules->values.first) return Written::ASK;
    open(column, DATE);
    out_.at = put_integer(out_.at, serial);
    return close(column, DATE);
}

Written CellWriter::put_moment(const ColumnPlan &column, PyObject *value) {
    PyObject *zone = PyDateTime_DATE_GET_TZINFO(value);
    const bool naive = zone == Py_None;
    const unsigned needed = naive ? IS_NAIVE : IS_UTC;
    if (!(column.types & needed) || (!naive && zone != PyDateTime_TimeZone_UTC)) {
        return Written::ASK;
    }
    const Kind kind = naive ? DATETIME : ZONED;
    const int year = PyDateTime_GET_YEAR(value), month = PyDateTime_GET_MONTH(value);
    const int day = PyDateTime_GET_DAY(value), hour = PyDateTime_DATE_GET_HOUR(value);
    const int minute = PyDateTime_DATE_GET_MINUTE(value);
    const int second = PyDateTime_DATE_GET_SECOND(value);
    const int micros = PyDateTime_DATE_GET_MICROSECOND(value);
    if (plan_.rules->values.serials) {
        const int64_t serial = days_from_civil(year, month, day) - plan_.rules->values.epoch;
        const double seconds = hour * 3600 + minute * 60 + second + micros / 1e6;
        if (serial < plan_.rules->values.first || seconds >= LATE) return Written::ASK;
        return put_float(column, seconds / DAY + static_cast<double>(serial), kind);
    }
    open(column, kind);
    char *p = put_date(out_.at, year, month, day);
    *p++ = 'T';
    out_.at = put_time(p, hour, minute, second, micros);
    if (!naive) out_.put("+00:00");
    return close(column, kind);
}

Written CellWriter::put_clock(const ColumnPlan &column, PyObject *value) {
    if (PyDateTime_TIME_GET_TZINFO(value) != Py_None) return Written::ASK;
    const int hour = PyDateTime_TIME_GET_HOUR(value), minute = PyDateTime_TIME_GET_MINUTE(value);
    const int second = PyDateTime_TIME_GET_SECOND(value);
    const int micros = PyDateTime_TIME_GET_MICROSECOND(value);
    if (plan_.rules->values.serials) {
        const double seconds = hour * 3600 + minute * 60 + second;
        if (seconds + micros / 1e6 >= LATE) return Written::ASK;
        return put_float(column, (seconds * 1e6 + micros) / DAY_MICROS, TIME);
    }
    open(column, TIME);
    out_.at = put_time(out_.at, hour, minute, second, micros);
    return close(column, TIME);
}

Written CellWriter::put_span(const ColumnPlan &column, PyObject *value) {
    const int days = PyDateTime_DELTA_GET_DAYS(value);
    const int seconds = PyDateTime_DELTA_GET_SECONDS(value);
    const int micros = PyDateTime_DELTA_GET_MICROSECONDS(value);
    if (days < 0) return Written::ASK;
    if (plan_.rules->values.serials) {
        // Up to 9999-12-31 these are whole numbers that a double has, and so is the quotient exact
        // to its last digit, as in Python.
        if (days >= plan_.rules->values.beyond) return Written::ASK;
        const double exact = (days * DAY + seconds) * 1e6 + micros;
        return put_float(column, exact / DAY_MICROS, DURATION);
    }
    open(column, DURATION);
    out_.at = put_duration(out_.at, days, seconds, micros);
    return close(column, DURATION);
}
