#define PY_SSIZE_T_CLEAN
#include "arrow_write.hpp"

#include "arrow_objects.hpp"
#include "reference.hpp"

#include <datetime.h>

#include <cstdlib>

namespace {

constexpr int64_t DAY_SECONDS = 86'400;

// Gives the interpreter's lock to other threads as long as it lives.
class Unlocked {
public:
    Unlocked() { give(); }
    ~Unlocked() { take(); }
    Unlocked(const Unlocked &) = delete;
    Unlocked &operator=(const Unlocked &) = delete;
    void give() {
        if (!NEEDS_LOCK) state_ = PyEval_SaveThread();
    }
    void take() {
        if (state_ != nullptr) PyEval_RestoreThread(state_);
        state_ = nullptr;
    }

private:
    PyThreadState *state_ = nullptr;
};

bool is_ascii(std::string_view text) {
    const char *at = text.data(), *const end = at + text.size();
    for (; end - at >= 8; at += 8) {
        uint64_t eight;
        std::memcpy(&eight, at, 8);
        if (eight & 0x8080808080808080) return false;
    }
    for (; at < end; ++at) {
        if (static_cast<signed char>(*at) < 0) return false;
    }
    return true;
}

// Decode UTF-8; false if it is none.
bool decode(std::string_view text, std::vector<Py_UCS4> &into) {
    static constexpr Py_UCS4 LEAST[] = {0, 0x80, 0x800, 0x10000};
    into.clear();
    for (size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at++]);
        const int more = lead < 0x80 ? 0 : lead < 0xC0 ? 4 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2
            : lead < 0xF8 ? 3 : 4;
        if (more == 4 || text.size() - at < static_cast<size_t>(more)) return false;
        Py_UCS4 character = more == 0 ? lead : lead & (0x3F >> more);
        for (int left = more; left > 0; --left) {
            const auto next = static_cast<unsigned char>(text[at++]);
            if ((next & 0xC0) != 0x80) return false;
            character = character << 6 | (next & 0x3F);
        }
        const bool surrogate = character >= 0xD800 && character < 0xE000;
        if (character < LEAST[more] || character > 0x10FFFF || surrogate) return false;
        into.push_back(character);
    }
    return true;
}

// A decimal as `str` has it, unless that has an exponent.
bool spell(const Place &place, std::string &text) {
    bool negative = false;
    const std::string digits = read_digits(place, negative);
    const int scale = place.type->scale, whole = static_cast<int>(digits.size()) - scale;
    if (scale < 0 || whole <= -6) return false;
    text = negative ? "-" : "";
    if (scale == 0) {
        text += digits;
    } else if (whole <= 0) {
        text += "0.";
        text.append(static_cast<size_t>(-whole), '0') += digits;
    } else {
        text.append(digits, 0, static_cast<size_t>(whole)) += '.';
        text.append(digits, static_cast<size_t>(whole), std::string::npos);
    }
    return true;
}

Clock clock_of(const Span &span) {
    const auto seconds = static_cast<int>(span.seconds);
    return {seconds / 3600, seconds / 60 % 60, seconds % 60, static_cast<int>(span.micros)};
}

class ArrowWriter {
public:
    ArrowWriter(Plan &plan, Buffer &out, std::vector<const ColumnCells *> columns,
        std::vector<std::vector<std::string_view>> spliced, PyObject *ask)
        : plan_(plan), out_(out), columns_(std::move(columns)), spliced_(std::move(spliced)),
          ask_(ask), writer_(plan, out) {}

    // Return what `CellWriter::result` does.
    PyObject *write(int64_t first, Py_ssize_t count) {
        return write_rows(first, count) ? writer_.result() : nullptr;
    }

private:
    const Plan &plan_;
    Buffer &out_;
    std::vector<const ColumnCells *> columns_;
    std::vector<std::vector<std::string_view>> spliced_;  // what Python has written, by column
    PyObject *ask_;
    CellWriter writer_;
    std::vector<Py_UCS4> characters_;
    std::string text_;

    bool write_rows(int64_t first, Py_ssize_t count) {
        Unlocked unlocked;
        for (Py_ssize_t row = 0; row < count; ++row) {
            writer_.start_row(first + row);
            for (size_t at = 0; at < columns_.size(); ++at) {
                if (!spliced_[at].empty()) {
                    out_.append(spliced_[at][static_cast<size_t>(row)]);
                    continue;
                }
                const Place &start = columns_[at]->first;
                const Place place{start.type, start.array, start.at + row};
                if (put(plan_.columns[at], place) == Written::DONE) continue;
                unlocked.take();
                if (!put_object(at, row)) return false;
                unlocked.give();
            }
            writer_.end_row();
        }
        return true;
    }

    // Write a cell as the object that it is for Python.
    bool put_object(size_t at, Py_ssize_t row) {
        PyObject *value = object_of(*columns_[at], row);
        if (value == nullptr) return false;
        const Written outcome = writer_.write(plan_.columns[at], value);
        bool done = outcome == Written::DONE;
        if (outcome == Written::ASK) {
            PyObject *written = PyObject_CallFunction(ask_, "nnO", static_cast<Py_ssize_t>(at), row,
                value);
            done = written != nullptr && writer_.splice(written);
            Py_XDECREF(written);
        }
        Py_DECREF(value);
        return done;
    }

    // Write a cell from the buffers, if it is so simple.
    Written put(const ColumnPlan &column, Place place) {
        const Found found = find(place);
        if (found == Found::WRONG) return Written::ASK;
        if (found == Found::EMPTY) {
            writer_.put_empty(column);
            return Written::DONE;
        }
        switch (place.type->stored) {
        case Stored::BOOL:
            return column.types & IS_BOOL ? writer_.put_bool(column, place.bit(1)) : Written::ASK;
        case Stored::SIGNED: case Stored::UNSIGNED: return put_integer(column, place);
        case Stored::FLOAT: return put_float(column, place);
        case Stored::DECIMAL: return put_decimal(column, place);
        case Stored::TEXT: return put_text(column, place);
        case Stored::DATE: return put_date(column, place);
        case Stored::TIME: case Stored::TIMESTAMP: case Stored::DURATION:
            return put_temporal(column, place);
        default: return Written::ASK;
        }
    }

    Written put_integer(const ColumnPlan &column, const Place &place) {
        const int64_t value = read_integer(place);
        const bool beyond = place.type->stored == Stored::UNSIGNED && value < 0;
        if (beyond || !(column.types & IS_INT)) return Written::ASK;
        return writer_.put_int(column, value);
    }

    Written put_float(const ColumnPlan &column, const Place &place) {
        if (!(column.types & IS_FLOAT)) return Written::ASK;
        return writer_.put_number(column, read_float(place));
    }

    Written put_decimal(const ColumnPlan &column, const Place &place) {
        if (!(column.types & IS_DECIMAL) || !spell(place, text_)) return Written::ASK;
        const Py_ssize_t most = plan_.rules->values.digits;
        if (most && static_cast<Py_ssize_t>(text_.size()) > most) return Written::ASK;
        return writer_.put_digits(column, text_);
    }

    Written put_text(const ColumnPlan &column, const Place &place) {
        std::string_view text;
        if (!(column.types & IS_STR) || !read_bytes_at(place, text)) return Written::ASK;
        const auto size = static_cast<Py_ssize_t>(text.size());
        if (size / 4 > plan_.rules->text.most) return Written::ASK;
        if (is_ascii(text)) {
            return writer_.put_text(column, reinterpret_cast<const Py_UCS1 *>(text.data()), size);
        }
        if (!decode(text, characters_)) return Written::ASK;
        return writer_.put_text(column, characters_.data(),
            static_cast<Py_ssize_t>(characters_.size()));
    }

    Written put_date(const ColumnPlan &column, const Place &place) {
        Day day{};
        const bool known = (column.types & IS_DATE) && read_day(place, day);
        return known ? writer_.put_day(column, day) : Written::ASK;
    }

    Written put_temporal(const ColumnPlan &column, const Place &place) {
        const ArrowType &type = *place.type;
        const Span span = split(read_integer(place), type.unit);
        if (span.is_fine) return Written::ASK;
        if (type.stored == Stored::TIME) {
            return column.types & IS_TIME ? writer_.put_clock(column, clock_of(span)) : Written::ASK;
        }
        if (type.stored == Stored::DURATION) {
            const bool known = (column.types & IS_TIMEDELTA) && std::abs(span.days) <= 999'999'999;
            return !known ? Written::ASK
                          : writer_.put_span(column, span.days, static_cast<int>(span.seconds),
                                static_cast<int>(span.micros));
        }
        const bool naive = type.zone == nullptr;
        const bool known = naive ? column.types & IS_NAIVE
                                 : (column.types & IS_UTC) && type.zone == PyDateTime_TimeZone_UTC;
        if (!known || span.days < FIRST_DAY || span.days > LAST_DAY) return Written::ASK;
        return writer_.put_moment(column, day_of(span.days), clock_of(span),
            naive ? DATETIME : ZONED);
    }
};

bool read_columns(PyObject *given, Py_ssize_t count, std::vector<const ColumnCells *> &columns) {
    for (size_t at = 0; at < columns.size(); ++at) {
        columns[at] = cells_of(PyTuple_GET_ITEM(given, static_cast<Py_ssize_t>(at)));
        if (columns[at] == nullptr) return false;
        if (columns[at]->length != count) {
            PyErr_Format(PyExc_ValueError, "a column must have %zd cells", count);
            return false;
        }
    }
    return true;
}

// Read what Python has written of some columns; `kept` holds references to it.
bool read_spliced(PyObject *given, Py_ssize_t count,
    std::vector<std::vector<std::string_view>> &spliced, PyObject *kept) {
    for (size_t at = 0; at < spliced.size(); ++at) {
        PyObject *column = PyTuple_GET_ITEM(given, static_cast<Py_ssize_t>(at));
        if (column == Py_None) continue;
        PyObject *cells = PySequence_Tuple(column);
        if (cells == nullptr || PyList_Append(kept, cells) < 0) {
            Py_XDECREF(cells);
            return false;
        }
        Py_DECREF(cells);  // `kept` has it
        if (PyTuple_GET_SIZE(cells) != count) {
            PyErr_SetString(PyExc_IndexError, "a spliced column has another length");
            return false;
        }
        for (Py_ssize_t row = 0; row < count; ++row) {
            PyObject *cell = PyTuple_GET_ITEM(cells, row);
            char *data = nullptr;
            Py_ssize_t size = 0;
            if (PyBytes_AsStringAndSize(cell, &data, &size) < 0) return false;
            spliced[at].emplace_back(data, static_cast<size_t>(size));
        }
    }
    return true;
}

}  // namespace

PyObject *write_arrow(Plan &plan, PyObject *args) {
    PyObject *given, *written, *ask;
    Py_ssize_t count;
    long long first;
    if (!PyArg_ParseTuple(args, "O!OLnO", &PyTuple_Type, &given, &written, &first, &count, &ask)) {
        return nullptr;
    }
    if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
    const size_t width = plan.columns.size();
    const auto expected = static_cast<Py_ssize_t>(width);
    // Of its own: code of the caller that runs meanwhile may empty the list.
    const Reference pieces(written == Py_None ? nullptr : PySequence_Tuple(written));
    if (!pieces && written != Py_None) return nullptr;
    if (PyTuple_GET_SIZE(given) != expected
        || (pieces && PyTuple_GET_SIZE(pieces.get()) != expected)) {
        return PyErr_Format(PyExc_ValueError, "there must be %zd columns", expected);
    }
    PyObject *kept = PyList_New(0);
    if (kept == nullptr) return nullptr;
    PyObject *result = nullptr;
    try {
        std::vector<const ColumnCells *> columns(width);
        std::vector<std::vector<std::string_view>> spliced(width);
        if (read_columns(given, count, columns)
            && (!pieces || read_spliced(pieces.get(), count, spliced, kept))) {
            Buffer out;
            out.swap(plan.kept);
            ArrowWriter writer(plan, out, std::move(columns), std::move(spliced), ask);
            result = writer.write(first, count);
            out.clear();
            out.swap(plan.kept);
        }
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
    }
    Py_DECREF(kept);
    return result;
}
