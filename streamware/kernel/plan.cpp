#define PY_SSIZE_T_CLEAN
#include "plan.hpp"

#include "arrow_write.hpp"
#include "cells.hpp"
#include "reference.hpp"

#include <algorithm>
#include <memory>

namespace {

// A Python object that owns a value of C++.
template <typename T>
struct Owner {
    PyObject_HEAD
    T *value;
};

using SharedRules = std::shared_ptr<const Rules>;

template <typename T>
T &value_of(PyObject *owner) {
    return *reinterpret_cast<Owner<T> *>(owner)->value;
}

PyTypeObject *rules_type = nullptr;

// What Python states ---------------------------------------------------------------------------

template <typename Bytes>
bool read_bytes(PyObject *given, Bytes &into) {
    char *data = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(given, &data, &size) < 0) return false;
    into.assign(data, static_cast<size_t>(size));
    return true;
}

bool read_markup(PyObject *given, ColumnMarkup &markup) {
    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != KINDS) {
        PyErr_Format(PyExc_ValueError, "a column must have the markup of %d kinds", int{KINDS});
        return false;
    }
    for (size_t kind = 0; kind < KINDS; ++kind) {
        PyObject *pair = PyTuple_GET_ITEM(given, static_cast<Py_ssize_t>(kind));
        Markup &read = markup.kinds[kind];
        if (pair == Py_None) continue;  // Python writes these cells
        const Py_ssize_t size = PyTuple_Check(pair) ? PyTuple_GET_SIZE(pair) : 0;
        if (size != 2 && size != 3) {
            PyErr_SetString(PyExc_TypeError, "markup must be two or three bytes in a tuple");
            return false;
        }
        if (size == 3 && !read_bytes(PyTuple_GET_ITEM(pair, 2), read.again)) return false;
        if (!read_bytes(PyTuple_GET_ITEM(pair, 0), read.before)
            || !read_bytes(PyTuple_GET_ITEM(pair, 1), read.after)) {
            return false;
        }
        markup.longest = std::max(markup.longest, read.before.size() + read.after.size());
    }
    return true;
}

bool read_columns(PyObject *given, std::vector<ColumnPlan> &columns) {
    const Reference list(PySequence_Tuple(given));
    if (!list) return false;
    columns.resize(static_cast<size_t>(PyTuple_GET_SIZE(list.get())));
    PyObject *last = nullptr;
    std::shared_ptr<const ColumnMarkup> shared;
    for (size_t at = 0; at < columns.size(); ++at) {
        ColumnPlan &column = columns[at];
        PyObject *item = PyTuple_GET_ITEM(list.get(), static_cast<Py_ssize_t>(at));
        PyObject *reference, *markup;
        if (!must_be_tuple(item)
            || !PyArg_ParseTuple(item, "OIO", &reference, &column.types, &markup)) {
            return false;
        }
        column.numbered = reference != Py_None;
        if (column.numbered && !read_bytes(reference, column.reference)) return false;
        if (markup != last) {
            auto read = std::make_shared<ColumnMarkup>();
            if (!read_markup(markup, *read)) return false;
            shared = std::move(read);
            last = markup;
        }
        column.markup = shared;
    }
    return true;
}

bool read_row(PyObject *given, Plan &plan) {
    PyObject *start, *number, *end;
    if (!PyArg_ParseTuple(given, "OOO", &start, &number, &end)) return false;
    plan.numbered = number != Py_None;
    return read_bytes(start, plan.row_start) && read_bytes(end, plan.row_end)
        && (!plan.numbered || read_bytes(number, plan.row_number));
}

// The meaning of each ASCII character.
bool read_table(PyObject *given, std::array<uint8_t, 128> &table) {
    std::string bytes;
    if (!read_bytes(given, bytes)) return false;
    if (bytes.size() != table.size()) {
        PyErr_SetString(PyExc_ValueError, "a table must have 128 bytes");
        return false;
    }
    std::copy(bytes.begin(), bytes.end(), table.begin());
    return true;
}

bool read_replacements(PyObject *given, TextRules &rules) {
    const Py_ssize_t count = PyTuple_GET_SIZE(given);
    rules.longest = 4;  // of any character in UTF-8
    for (Py_ssize_t at = 0; at < count; ++at) {
        std::string &read = rules.replacements.emplace_back();
        if (!read_bytes(PyTuple_GET_ITEM(given, at), read)) return false;
        rules.longest = std::max(rules.longest, read.size());
    }
    for (const uint8_t action : rules.actions) {
        if (action < FORBIDDEN && action > PLAIN && action >= count) {
            PyErr_SetString(PyExc_ValueError, "a table must name known replacements only");
            return false;
        }
    }
    return true;
}

bool read_guard(PyObject *given, GuardRules &rules) {
    PyObject *characters;
    const char *data;
    Py_ssize_t size;
    int marks;
    if (!must_be_tuple(given)
        || !PyArg_ParseTuple(given, "Uy#p", &characters, &data, &size, &marks)) {
        return false;
    }
    if (size != PyUnicode_GET_LENGTH(characters)) {
        PyErr_SetString(PyExc_ValueError, "each character must have a meaning");
        return false;
    }
    rules.marks = marks;
    for (Py_ssize_t at = 0; at < size; ++at) {
        const Py_UCS4 character = PyUnicode_READ_CHAR(characters, at);
        const auto meaning = static_cast<uint8_t>(data[at]);
        if (character < rules.ascii.size()) rules.ascii[character] = meaning;
        else rules.wide.emplace_back(character, meaning);
    }
    std::sort(rules.wide.begin(), rules.wide.end());
    return true;
}

bool read_text(PyObject *given, TextRules &rules) {
    PyObject *actions, *replacements, *guard;
    int spreadsheet, asked;
    if (!PyArg_ParseTuple(given, "OO!Onpp", &actions, &PyTuple_Type, &replacements, &guard,
            &rules.most, &spreadsheet, &asked)
        || !read_table(actions, rules.actions) || !read_replacements(replacements, rules)) {
        return false;
    }
    rules.edges = rules.empty_blank = spreadsheet;
    rules.empty_asked = asked;
    rules.guards = guard != Py_None;
    if (rules.guards && !read_guard(guard, rules.guard)) return false;
    for (size_t at = 0; at < rules.special.size(); ++at) {
        rules.special[at] = at >= 128 || rules.actions[at] != PLAIN || (rules.guard.ascii[at] & END);
    }
    return true;
}

bool read_values(PyObject *given, ValueRules &rules) {
    PyObject *yes, *no, *days;
    int decimal, big_as_text, non_finite_empty;
    long long largest;
    if (!PyArg_ParseTuple(given, "OOOLnCpp", &yes, &no, &days, &largest, &rules.digits, &decimal,
            &big_as_text, &non_finite_empty)
        || !read_bytes(yes, rules.yes) || !read_bytes(no, rules.no)) {
        return false;
    }
    rules.largest = largest;
    rules.decimal = static_cast<char>(decimal);
    rules.big_as_text = big_as_text;
    rules.non_finite_empty = non_finite_empty;
    rules.bounded = days != Py_None;
    long long epoch, first, beyond;
    int serials;
    if (!rules.bounded) return true;
    if (!must_be_tuple(days)
        || !PyArg_ParseTuple(days, "LLLp", &epoch, &first, &beyond, &serials)) {
        return false;
    }
    rules.serials = serials;
    rules.epoch = epoch;
    rules.first = first;
    rules.beyond = beyond;
    return true;
}

// Rows -----------------------------------------------------------------------------------------

// The cells of a batch, in rows or in columns.  Code of the caller that runs in between may change
// any list, so lengths of rows are looked at again for each cell, and what holds them is a tuple.
struct Cells {
    PyObject *lines;    // the rows, or the columns
    PyObject *spliced;  // for each column None, or a list of what Python has written; or NULL
    Py_ssize_t count;
    bool by_rows;
};

// Return a borrowed reference; NULL with the error set if there is none.
PyObject *item(PyObject *line, Py_ssize_t at) {
    if (PyTuple_CheckExact(line)) {
        if (at < PyTuple_GET_SIZE(line)) return PyTuple_GET_ITEM(line, at);
    } else if (PyList_CheckExact(line)) {
        if (at < PyList_GET_SIZE(line)) return PyList_GET_ITEM(line, at);
    } else {
        PyErr_Format(PyExc_TypeError, "cells must be in tuples or lists, not in %s",
            Py_TYPE(line)->tp_name);
        return nullptr;
    }
    PyErr_SetString(PyExc_IndexError, "a row or a column is too short");
    return nullptr;
}

bool is_of_width(PyObject *row, Py_ssize_t width) {
    const Py_ssize_t given = PyTuple_CheckExact(row) ? PyTuple_GET_SIZE(row)
        : PyList_CheckExact(row)                     ? PyList_GET_SIZE(row)
                                                     : -1;
    if (given == width) return true;
    PyErr_Format(PyExc_ValueError, "a row must be a tuple or a list of %zd cells", width);
    return false;
}

class BatchWriter {
public:
    BatchWriter(Plan &plan, Buffer &out, const Cells &cells, PyObject *ask)
        : plan_(plan), cells_(cells), ask_(ask), writer_(plan, out) {}

    // Return what `CellWriter::result` does.
    PyObject *write(int64_t first) {
        for (Py_ssize_t row = 0; row < cells_.count; ++row) {
            writer_.start_row(first + row);
            if (!write_row(row)) return nullptr;
            writer_.end_row();
        }
        return writer_.result();
    }

private:
    const Plan &plan_;
    const Cells &cells_;
    PyObject *ask_;
    CellWriter writer_;

    bool write_row(Py_ssize_t row) {
        const auto width = static_cast<Py_ssize_t>(plan_.columns.size());
        PyObject *line = cells_.by_rows ? PyTuple_GET_ITEM(cells_.lines, row) : nullptr;
        if (line != nullptr && !is_of_width(line, width)) return false;
        for (Py_ssize_t at = 0; at < width; ++at) {
            PyObject *spliced = cells_.spliced ? PyTuple_GET_ITEM(cells_.spliced, at) : Py_None;
            if (spliced != Py_None) {
                PyObject *written = item(spliced, row);
                if (written == nullptr || !writer_.splice(written)) return false;
                continue;
            }
            PyObject *value = line != nullptr ? item(line, at)
                                              : item(PyTuple_GET_ITEM(cells_.lines, at), row);
            if (value == nullptr || !write_cell(at, row, value)) return false;
        }
        return true;
    }

    bool write_cell(Py_ssize_t at, Py_ssize_t row, PyObject *value) {
        const Written outcome = writer_.write(plan_.columns[static_cast<size_t>(at)], value);
        if (outcome == Written::DONE) return true;
        if (outcome == Written::FAILED) return false;
        Py_INCREF(value);  // code of the caller may drop it meanwhile
        Reference written(PyObject_CallFunction(ask_, "nnO", at, row, value));
        Py_DECREF(value);
        return written && writer_.splice(written.get());
    }
};

// `write(lines, by_rows, spliced, first, count, ask)`
PyObject *write(PyObject *self, PyObject *args) {
    PyObject *given, *spliced, *ask;
    Py_ssize_t count;
    long long first;
    int by_rows;
    if (!PyArg_ParseTuple(args, "OpOLnO", &given, &by_rows, &spliced, &first, &count, &ask)) {
        return nullptr;
    }
    Plan &plan = value_of<Plan>(self);
    const auto width = static_cast<Py_ssize_t>(plan.columns.size());
    const Reference lines(PySequence_Tuple(given));
    if (!lines) return nullptr;
    if (PyTuple_GET_SIZE(lines.get()) != (by_rows ? count : width)) {
        return PyErr_Format(PyExc_ValueError, "there must be %zd rows or %zd columns", count, width);
    }
    const Reference pieces(spliced == Py_None ? nullptr : PySequence_Tuple(spliced));
    if (!pieces && spliced != Py_None) return nullptr;
    if (pieces && PyTuple_GET_SIZE(pieces.get()) != width) {
        return PyErr_Format(PyExc_ValueError, "spliced must be a list of %zd columns", width);
    }
    const Cells cells{lines.get(), pieces.get(), count, by_rows != 0};
    try {
        Buffer out;  // taken, and not used in place: what is asked may write another batch
        out.swap(plan.kept);
        PyObject *result = BatchWriter(plan, out, cells, ask).write(first);
        out.clear();
        out.swap(plan.kept);
        return result;
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

// The types ------------------------------------------------------------------------------------

template <typename T>
PyObject *own(PyTypeObject *type, std::unique_ptr<T> value) {
    PyObject *self = type->tp_alloc(type, 0);
    if (self != nullptr) reinterpret_cast<Owner<T> *>(self)->value = value.release();
    return self;
}

template <typename T>
void destroy(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    delete reinterpret_cast<Owner<T> *>(self)->value;
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *make_rules(PyTypeObject *type, PyObject *args, PyObject *named) {
    static const char *names[] = {"text", "values", nullptr};
    PyObject *text, *values;
    if (!PyArg_ParseTupleAndKeywords(args, named, "$O!O!:Rules", const_cast<char **>(names),
            &PyTuple_Type, &text, &PyTuple_Type, &values)) {
        return nullptr;
    }
    try {
        auto rules = std::make_shared<Rules>();
        if (!read_text(text, rules->text) || !read_values(values, rules->values)) return nullptr;
        return own(type, std::make_unique<SharedRules>(std::move(rules)));
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

PyObject *make_plan(PyTypeObject *type, PyObject *args, PyObject *named) {
    static const char *names[] = {"row", "columns", "rules", nullptr};
    PyObject *row, *columns, *rules;
    if (!PyArg_ParseTupleAndKeywords(args, named, "$O!OO!:Plan", const_cast<char **>(names),
            &PyTuple_Type, &row, &columns, rules_type, &rules)) {
        return nullptr;
    }
    try {
        auto plan = std::make_unique<Plan>();
        if (!read_row(row, *plan) || !read_columns(columns, plan->columns)) return nullptr;
        plan->rules = value_of<SharedRules>(rules);
        return own(type, std::move(plan));
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

PyObject *write_columns(PyObject *self, PyObject *args) {
    return write_arrow(value_of<Plan>(self), args);
}

PyMethodDef plan_methods[] = {
    {"write", write, METH_VARARGS, nullptr},
    {"write_arrow", write_columns, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot rules_slots[] = {
    {Py_tp_new, reinterpret_cast<void *>(make_rules)},
    {Py_tp_dealloc, reinterpret_cast<void *>(destroy<SharedRules>)},
    {0, nullptr},
};

PyType_Slot plan_slots[] = {
    {Py_tp_new, reinterpret_cast<void *>(make_plan)},
    {Py_tp_dealloc, reinterpret_cast<void *>(destroy<Plan>)},
    {Py_tp_methods, plan_methods},
    {0, nullptr},
};

constexpr unsigned FLAGS = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE;

PyType_Spec rules_spec = {
    "streamware.kernel._native.Rules", sizeof(Owner<SharedRules>), 0, FLAGS, rules_slots,
};

PyType_Spec plan_spec = {
    "streamware.kernel._native.Plan", sizeof(Owner<Plan>), 0, FLAGS, plan_slots,
};

}  // namespace

int add_plan_types(PyObject *module) {
    PyObject *rules = PyType_FromSpec(&rules_spec);
    if (rules == nullptr) return -1;
    Py_XSETREF(rules_type, reinterpret_cast<PyTypeObject *>(rules));
    Reference plan(PyType_FromSpec(&plan_spec));
    return plan && PyModule_AddObjectRef(module, "Rules", rules) == 0
        ? PyModule_AddObjectRef(module, "Plan", plan.get())
        : -1;
}
