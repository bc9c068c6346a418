#define PY_SSIZE_T_CLEAN
#include "cells.hpp"

#include <datetime.h>

#include <algorithm>
#include <cmath>

namespace {

PyTypeObject *decimal_type = nullptr;

constexpr size_t DATE_LENGTH = 10;  // of 2024-05-06
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
        return column.types & IS_STR ? text_of(column, value) : Written::ASK;
    }
    if (type == &PyLong_Type) {
        return column.types & IS_INT ? int_of(column, value) : Written::ASK;
    }
    if (type == &PyFloat_Type) {
        if (!(column.types & IS_FLOAT)) return Written::ASK;
        return put_number(column, PyFloat_AS_DOUBLE(value));
    }
    if (type == &PyBool_Type) {
        if (!(column.types & IS_BOOL)) return Written::ASK;
        return put_bool(column, value == Py_True);
    }
    if (type == decimal_type) {
        return column.types & IS_DECIMAL ? decimal_of(column, value) : Written::ASK;
    }
    if (type == PyDateTimeAPI->DateTimeType) return moment_of(column, value);
    if (type == PyDateTimeAPI->DateType) {
        if (!(column.types & IS_DATE)) return Written::ASK;
        return put_day(column, {PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value),
            PyDateTime_GET_DAY(value)});
    }
    if (type == PyDateTimeAPI->TimeType) {
        return column.types & IS_TIME ? clock_of(column, value) : Written::ASK;
    }
    if (type == PyDateTimeAPI->DeltaType) {
        if (!(column.types & IS_TIMEDELTA)) return Written::ASK;
        return put_span(column, PyDateTime_DELTA_GET_DAYS(value),
            PyDateTime_DELTA_GET_SECONDS(value), PyDateTime_DELTA_GET_MICROSECONDS(value));
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

PyObject *CellWriter::result() const {
    const bool counted = std::any_of(counts_.begin(), counts_.end(), [](auto n) { return n > 0; });
    PyObject *counts = counted ? PyTuple_New(COUNTS) : Py_NewRef(Py_None);
    for (size_t at = 0; counted && counts != nullptr && at < COUNTS; ++at) {
        PyObject *number = PyLong_FromLongLong(counts_[at]);
        if (number == nullptr) Py_CLEAR(counts);
        else PyTuple_SET_ITEM(counts, static_cast<Py_ssize_t>(at), number);
    }
    if (counts == nullptr) return nullptr;
    return Py_BuildValue("y#N", out_.data(), static_cast<Py_ssize_t>(out_.size()), counts);
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
    opened_ = out_.size();
}

Written CellWriter::close(const ColumnPlan &column, Kind kind) {
    const Markup &markup = column.markup->kinds[kind];
    if (markup.again.size()) {
        const size_t length = out_.size() - opened_;
        out_.reserve(markup.again.size() + length);
        out_.put(markup.again);
        char *const repeated = out_.at;
        out_.put({out_.data() + opened_, length});
        if (kind == DATETIME && length > DATE_LENGTH) repeated[DATE_LENGTH] = ' ';
    }
    out_.append(markup.after);
    return Written::DONE;
}

void CellWriter::use_decimal_sign(size_t from) {
    if (plan_.rules->values.decimal == '.') return;
    char *const start = const_cast<char *>(out_.data()) + from;
    const auto length = static_cast<size_t>(out_.at - start);
    if (void *point = std::memchr(start, '.', length)) {
        *static_cast<char *>(point) = plan_.rules->values.decimal;
    }
}

// Values -------------------------------------------------------------------------------------

template <typename C>
Written CellWriter::put_text(const ColumnPlan &column, const C *text, Py_ssize_t length) {
    const TextRules &rules = plan_.rules->text;
    if (length == 0 && rules.empty_blank) {
        put_empty(column);
        return Written::DONE;
    }
    if (length > rules.most || (length == 0 && rules.empty_asked)) return Written::ASK;
    const size_t before = out_.size();
    const Kind kind = rules.edges && has_edge_blank(text, length) ? SPACED : TEXT;
    open(column, kind);
    out_.reserve(static_cast<size_t>(length) * rules.longest + 3);
    TextWriter writer(rules, text, length);
    if (!writer.write(out_.at)) {
        out_.truncate(before);
        return Written::ASK;
    }
    writer.count(counts_);
    return close(column, kind);
}

template Written CellWriter::put_text(const ColumnPlan &, const Py_UCS1 *, Py_ssize_t);
template Written CellWriter::put_text(const ColumnPlan &, const Py_UCS4 *, Py_ssize_t);

Written CellWriter::put_bool(const ColumnPlan &column, bool value) {
    open(column, BOOL);
    out_.append(value ? plan_.rules->values.yes : plan_.rules->values.no);
    return close(column, BOOL);
}

Written CellWriter::put_int(const ColumnPlan &column, int64_t value) {
    const ValueRules &rules = plan_.rules->values;
    if (rules.largest && (value > rules.largest || value < -rules.largest)) {
        if (!rules.big_as_text || !(column.types & IS_STR)) return Written::ASK;
        char digits[LONGEST_NUMBER];
        const Py_ssize_t length = put_integer(digits, value) - digits;
        const Written outcome
            = put_text(column, reinterpret_cast<const Py_UCS1 *>(digits), length);
        counts_[BIG_INT] += outcome == Written::DONE;
        return outcome;
    }
    open(column, NUMBER);
    out_.at = put_integer(out_.at, value);
    return close(column, NUMBER);
}

Written CellWriter::put_number(const ColumnPlan &column, double value) {
    if (std::isfinite(value)) return put_float(column, value, NUMBER);
    if (!plan_.rules->values.non_finite_empty) return Written::ASK;
    ++counts_[NON_FINITE];
    put_empty(column);
    return Written::DONE;
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
    if (column.markup->kinds[kind].again.size()
        && std::memchr(out_.data() + from, 'e', out_.size() - from) != nullptr) {
        out_.truncate(before);  // shown in another way
        return Written::ASK;
    }
    if (kind == NUMBER) use_decimal_sign(from);
    return close(column, kind);
}

Written CellWriter::put_digits(const ColumnPlan &column, std::string_view digits) {
    open(column, NUMBER);
    const size_t from = out_.size();
    out_.append(digits);
    use_decimal_sign(from);
    return close(column, NUMBER);
}

Written CellWriter::put_day(const ColumnPlan &column, const Day &day) {
    const ValueRules &rules = plan_.rules->values;
    int64_t serial = 0;
    if (rules.bounded) {
        serial = days_from_civil(day.year, day.month, day.day) - rules.epoch;
        if (serial < rules.first) return put_early(column, day, nullptr, DATE);
    }
    open(column, DATE);
    out_.at = rules.serials ? put_integer(out_.at, serial)
                            : put_date(out_.at, day.year, day.month, day.day);
    return close(column, DATE);
}

Written CellWriter::put_moment(const ColumnPlan &column, const Day &day, const Clock &clock,
    Kind kind) {
    const ValueRules &rules = plan_.rules->values;
    if (rules.bounded) {
        const int64_t serial = days_from_civil(day.year, day.month, day.day) - rules.epoch;
        const double seconds
            = clock.hour * 3600 + clock.minute * 60 + clock.second + clock.micros / 1e6;
        if (serial < rules.first) return put_early(column, day, &clock, kind);
        if (seconds >= LATE) return Written::ASK;
        if (rules.serials) {
            return put_float(column, seconds / DAY + static_cast<double>(serial), kind);
        }
    }
    open(column, kind);
    char *p = put_date(out_.at, day.year, day.month, day.day);
    *p++ = 'T';
    out_.at = put_time(p, clock.hour, clock.minute, clock.second, clock.micros);
    if (kind == ZONED) out_.put("+00:00");
    return close(column, kind);
}

// A date that is no date for a spreadsheet, as text.
Written CellWriter::put_early(const ColumnPlan &column, const Day &day, const Clock *clock,
    Kind kind) {
    if (!(column.types & IS_STR)) return Written::ASK;
    ++counts_[EARLY_DATE];
    open(column, TEXT);
    out_.at = put_date(out_.at, day.year, day.month, day.day);
    if (clock != nullptr) {
        *out_.at++ = 'T';
        out_.at = put_time(out_.at, clock->hour, clock->minute, clock->second, clock->micros);
    }
    if (kind == ZONED && plan_.rules->values.serials) out_.put("+00:00");
    return close(column, TEXT);
}

Written CellWriter::put_clock(const ColumnPlan &column, const Clock &clock) {
    if (plan_.rules->values.serials) {
        const double seconds = clock.hour * 3600 + clock.minute * 60 + clock.second;
        if (seconds + clock.micros / 1e6 >= LATE) return Written::ASK;
        return put_float(column, (seconds * 1e6 + clock.micros) / DAY_MICROS, TIME);
    }
    open(column, TIME);
    out_.at = put_time(out_.at, clock.hour, clock.minute, clock.second, clock.micros);
    return close(column, TIME);
}

Written CellWriter::put_span(const ColumnPlan &column, int64_t days, int seconds, int micros) {
    if (days < 0) return put_negative_span(column, days, seconds, micros);
    if (plan_.rules->values.serials) {
        // Up to 9999-12-31 these are whole numbers that a double has, and so is the quotient exact
        // to its last digit, as in Python.
        if (days >= plan_.rules->values.beyond) return Written::ASK;
        const double exact = (static_cast<double>(days) * DAY + seconds) * 1e6 + micros;
        return put_float(column, exact / DAY_MICROS, DURATION);
    }
    open(column, DURATION);
    out_.at = put_duration(out_.at, static_cast<int>(days), seconds, micros);
    return close(column, DURATION);
}

Written CellWriter::put_negative_span(const ColumnPlan &column, int64_t days, int seconds,
    int micros) {
    const Rules &rules = *plan_.rules;
    if (rules.values.bounded) return Written::ASK;  // a spreadsheet has several ways
    const int borrowed = micros != 0;
    const int rest = seconds + borrowed;
    open(column, DURATION);
    if (rules.text.guards && rules.text.guard.marks) {
        ++counts_[FORMULA_TEXT];
        *out_.at++ = '\'';
    }
    *out_.at++ = '-';
    out_.at = put_duration(out_.at, static_cast<int>(-days - (rest != 0)),
        rest ? 86'400 - rest : 0, borrowed ? 1'000'000 - micros : 0);
    return close(column, DURATION);
}

// Objects ------------------------------------------------------------------------------------

Written CellWriter::text_of(const ColumnPlan &column, PyObject *value) {
    const Py_ssize_t length = PyUnicode_GET_LENGTH(value);
    switch (PyUnicode_KIND(value)) {
    case PyUnicode_1BYTE_KIND: return put_text(column, PyUnicode_1BYTE_DATA(value), length);
    case PyUnicode_2BYTE_KIND: return put_text(column, PyUnicode_2BYTE_DATA(value), length);
    default: return put_text(column, PyUnicode_4BYTE_DATA(value), length);
    }
}

Written CellWriter::int_of(const ColumnPlan &column, PyObject *value) {
    int overflow = 0;
    const int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow ? Written::ASK : put_int(column, number);
}

Written CellWriter::decimal_of(const ColumnPlan &column, PyObject *value) {
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
    if (known) put_digits(column, {characters, static_cast<size_t>(length)});
    Py_DECREF(text);
    return known ? Written::DONE : Written::ASK;
}

Written CellWriter::moment_of(const ColumnPlan &column, PyObject *value) {
    PyObject *zone = PyDateTime_DATE_GET_TZINFO(value);
    const bool naive = zone == Py_None;
    const unsigned needed = naive ? IS_NAIVE : IS_UTC;
    if (!(column.types & needed) || (!naive && zone != PyDateTime_TimeZone_UTC)) {
        return Written::ASK;
    }
    const Day day{PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value),
        PyDateTime_GET_DAY(value)};
    const Clock clock{PyDateTime_DATE_GET_HOUR(value), PyDateTime_DATE_GET_MINUTE(value),
        PyDateTime_DATE_GET_SECOND(value), PyDateTime_DATE_GET_MICROSECOND(value)};
    return put_moment(column, day, clock, naive ? DATETIME : ZONED);
}

Written CellWriter::clock_of(const ColumnPlan &column, PyObject *value) {
    if (PyDateTime_TIME_GET_TZINFO(value) != Py_None) return Written::ASK;
    return put_clock(column, {PyDateTime_TIME_GET_HOUR(value), PyDateTime_TIME_GET_MINUTE(value),
        PyDateTime_TIME_GET_SECOND(value), PyDateTime_TIME_GET_MICROSECOND(value)});
}
