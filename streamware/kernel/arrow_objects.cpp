#define PY_SSIZE_T_CLEAN
#include "arrow_objects.hpp"

#include "reference.hpp"

#include <datetime.h>

#include <limits>
#include <new>

namespace {

PyTypeObject *stream_type = nullptr;
PyTypeObject *column_type = nullptr;
PyObject *decimal = nullptr;  // the class

constexpr int64_t MOST_DAYS = 999'999'999;  // of a timedelta
constexpr int64_t DAY_SECONDS = 86'400;

PyObject *wrong() {
    PyErr_SetString(PyExc_BufferError, "an offset, an index or a run end is out of bounds");
    return nullptr;
}

PyObject *beyond() {
    PyErr_SetString(PyExc_OverflowError, "Python has no such value");
    return nullptr;
}

// The objects of values ------------------------------------------------------------------------

class ObjectMaker {
public:
    ObjectMaker(const ArrowTable &table, bool maps_are_dicts)
        : table_(table), maps_are_dicts_(maps_are_dicts) {}

    PyObject *make(Place place, bool nested) const {
        const Found found = find(place);
        if (found == Found::WRONG) return wrong();
        if (found == Found::EMPTY) Py_RETURN_NONE;
        switch (place.type->stored) {
        case Stored::BOOL: return PyBool_FromLong(place.bit(1));
        case Stored::SIGNED: return PyLong_FromLongLong(read_integer(place));
        case Stored::UNSIGNED:
            return PyLong_FromUnsignedLongLong(static_cast<uint64_t>(read_integer(place)));
        case Stored::FLOAT: return PyFloat_FromDouble(read_float(place));
        case Stored::DECIMAL: return make_decimal(place);
        case Stored::TEXT: case Stored::BYTES: return make_text(place);
        case Stored::DATE: return make_date(place);
        case Stored::TIME: return make_time(place);
        case Stored::TIMESTAMP: return make_moment(place);
        case Stored::DURATION: return make_duration(place);
        case Stored::INTERVAL: return make_interval(place, nested);
        case Stored::STRUCT: return make_struct(place);
        case Stored::MAP: return make_map(place);
        case Stored::LIST: case Stored::LIST_VIEW: return make_list(place);
        default: return wrong();
        }
    }

private:
    const ArrowTable &table_;
    bool maps_are_dicts_;  // unless a key is twice in one

    static PyObject *make_decimal(const Place &place) {
        bool negative = false;
        const std::string digits = read_digits(place, negative);
        const std::string text
            = (negative ? "-" : "") + digits + "E" + std::to_string(-place.type->scale);
        return PyObject_CallFunction(decimal, "s#", text.data(),
            static_cast<Py_ssize_t>(text.size()));
    }

    static PyObject *make_text(const Place &place) {
        std::string_view bytes;
        if (!read_bytes_at(place, bytes)) return wrong();
        const auto size = static_cast<Py_ssize_t>(bytes.size());
        return place.type->stored == Stored::TEXT ? PyUnicode_DecodeUTF8(bytes.data(), size, nullptr)
                                                  : PyBytes_FromStringAndSize(bytes.data(), size);
    }

    static PyObject *make_date(const Place &place) {
        Day day{};
        return read_day(place, day) ? PyDate_FromDate(day.year, day.month, day.day) : beyond();
    }

    // Steals a reference; marks what has lost nanoseconds.
    PyObject *marked(PyObject *made, const Span &span) const {
        if (made == nullptr || !span.is_fine) return made;
        PyObject *fine = PyObject_CallOneArg(table_.fine, made);
        Py_DECREF(made);
        return fine;
    }

    PyObject *make_time(const Place &place) const {
        const Span span = split(read_integer(place), place.type->unit);
        const auto seconds = static_cast<int>(span.seconds);
        return marked(PyTime_FromTime(seconds / 3600, seconds / 60 % 60, seconds % 60,
                          static_cast<int>(span.micros)),
            span);
    }

    PyObject *make_moment(const Place &place) const {
        const Span span = split(read_integer(place), place.type->unit);
        if (span.days < FIRST_DAY || span.days > LAST_DAY) return beyond();
        const Day day = day_of(span.days);
        const auto seconds = static_cast<int>(span.seconds);
        PyObject *zone = place.type->zone;
        PyObject *made = PyDateTimeAPI->DateTime_FromDateAndTime(day.year, day.month, day.day,
            seconds / 3600, seconds / 60 % 60, seconds % 60, static_cast<int>(span.micros),
            zone == nullptr ? Py_None : zone, PyDateTimeAPI->DateTimeType);
        if (made != nullptr && zone != nullptr && zone != PyDateTime_TimeZone_UTC) {
            PyObject *local = PyObject_CallMethod(zone, "fromutc", "O", made);
            Py_DECREF(made);
            made = local;
        }
        return marked(made, span);
    }

    PyObject *make_duration(const Place &place) const {
        const Span span = split(read_integer(place), place.type->unit);
        if (span.days < -MOST_DAYS || span.days > MOST_DAYS) return beyond();
        return marked(PyDelta_FromDSU(static_cast<int>(span.days), static_cast<int>(span.seconds),
                          static_cast<int>(span.micros)),
            span);
    }

    PyObject *make_interval(const Place &place, bool nested) const {
        const int months = place.load<int32_t>(1, 4 * place.at);
        const int days = place.load<int32_t>(1, 4 * place.at + 1);
        const auto nanos = static_cast<long long>(place.load<int64_t>(1, 2 * place.at + 1));
        return PyObject_CallFunction(table_.span, "iiLO", months, days, nanos,
            nested ? Py_True : Py_False);
    }

    PyObject *make_struct(const Place &place) const {
        PyObject *made = PyDict_New();
        for (size_t at = 0; made != nullptr && at < place.type->children.size(); ++at) {
            PyObject *value = make(place.child(at, place.at), true);
            PyObject *key = place.type->children[at]->key;
            if (value == nullptr || PyDict_SetItem(made, key, value) < 0) Py_CLEAR(made);
            Py_XDECREF(value);
        }
        return made;
    }

    PyObject *make_list(const Place &place) const {
        int64_t first = 0, count = 0;
        if (!read_items_at(place, first, count)) return wrong();
        PyObject *made = PyList_New(0);
        for (int64_t at = 0; made != nullptr && at < count; ++at) {
            PyObject *value = make(place.child(0, first + at), true);
            if (value == nullptr || PyList_Append(made, value) < 0) Py_CLEAR(made);
            Py_XDECREF(value);
        }
        return made;
    }

    PyObject *make_map(const Place &place) const {
        int64_t first = 0, count = 0;
        if (!read_items_at(place, first, count)) return wrong();
        PyObject *made = maps_are_dicts_ ? PyDict_New() : PyList_New(0);
        for (int64_t at = 0; made != nullptr && at < count; ++at) {
            const Place entry = place.child(0, first + at);
            PyObject *key = make(entry.child(0, entry.at), true);
            PyObject *value = key == nullptr ? nullptr : make(entry.child(1, entry.at), true);
            if (value == nullptr || !add(made, key, value)) Py_CLEAR(made);
            Py_XDECREF(key);
            Py_XDECREF(value);
        }
        return made;
    }

    // False with the error set: a KeyError if the key is there.
    bool add(PyObject *made, PyObject *key, PyObject *value) const {
        if (maps_are_dicts_) {
            const int held = PyDict_Contains(made, key);
            if (held > 0) PyErr_SetNone(PyExc_KeyError);
            return held == 0 && PyDict_SetItem(made, key, value) == 0;
        }
        PyObject *pair = PyTuple_Pack(2, key, value);
        const bool added = pair != nullptr && PyList_Append(made, pair) == 0;
        Py_XDECREF(pair);
        return added;
    }
};

// Whether there are maps in a type, all of whose keys can be those of an object of JSON.
bool has_dicts(const ArrowType &type, bool &others) {
    bool found = type.stored == Stored::MAP;
    if (found) {
        const Stored key = type.children[0]->children[0]->stored;
        others |= key != Stored::TEXT && key != Stored::SIGNED && key != Stored::UNSIGNED;
    }
    for (const auto &child : type.children) found |= has_dicts(*child, others);
    return found;
}

// The type ArrowColumn -------------------------------------------------------------------------

struct ColumnObject {
    PyObject_HEAD
    ColumnCells *cells;
};

ColumnCells &cells_in(PyObject *self) { return *reinterpret_cast<ColumnObject *>(self)->cells; }

PyObject *new_column(ColumnCells cells) {
    auto held = std::make_unique<ColumnCells>(std::move(cells));
    PyObject *self = column_type->tp_alloc(column_type, 0);
    if (self != nullptr) reinterpret_cast<ColumnObject *>(self)->cells = held.release();
    return self;
}

void destroy_column(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    delete reinterpret_cast<ColumnObject *>(self)->cells;
    type->tp_free(self);
    Py_DECREF(type);
}

Py_ssize_t column_length(PyObject *self) { return cells_in(self).length; }

PyObject *column_item(PyObject *self, Py_ssize_t at) {
    const ColumnCells &cells = cells_in(self);
    if (at < 0 || at >= cells.length) {
        PyErr_SetString(PyExc_IndexError, "there is no such cell");
        return nullptr;
    }
    return object_of(cells, at);
}

PyObject *column_list(PyObject *self, PyObject *) {
    const ColumnCells &cells = cells_in(self);
    PyObject *made = PyList_New(cells.length);
    for (Py_ssize_t at = 0; made != nullptr && at < cells.length; ++at) {
        PyObject *value = object_of(cells, at);
        if (value == nullptr) Py_CLEAR(made);
        else PyList_SET_ITEM(made, at, value);
    }
    return made;
}

bool read_range(const ColumnCells &cells, PyObject *args, Py_ssize_t &start, Py_ssize_t &stop) {
    if (!PyArg_ParseTuple(args, "nn", &start, &stop)) return false;
    if (0 <= start && start <= stop && stop <= cells.length) return true;
    PyErr_SetString(PyExc_IndexError, "there are no such cells");
    return false;
}

// `slice(start, stop)`
PyObject *column_slice(PyObject *self, PyObject *args) {
    ColumnCells cells = cells_in(self);
    Py_ssize_t start, stop;
    if (!read_range(cells, args, start, stop)) return nullptr;
    cells.first.at += start;
    cells.length = stop - start;
    try {
        return new_column(std::move(cells));
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

// `weigh(start, stop)`
PyObject *column_weigh(PyObject *self, PyObject *args) {
    const ColumnCells &cells = cells_in(self);
    Py_ssize_t start, stop;
    if (!read_range(cells, args, start, stop)) return nullptr;
    const Place first{cells.first.type, cells.first.array, cells.first.at + start};
    const int64_t weight = weigh(first, stop - start);
    return weight < 0 ? wrong() : PyLong_FromLongLong(weight);
}

PyObject *column_format(PyObject *self, void *) {
    return PyUnicode_FromString(cells_in(self).first.type->format.c_str());
}

PyMethodDef column_methods[] = {
    {"tolist", column_list, METH_NOARGS, nullptr},
    {"slice", column_slice, METH_VARARGS, nullptr},
    {"weigh", column_weigh, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef column_attributes[] = {
    {"format", column_format, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot column_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void *>(destroy_column)},
    {Py_tp_methods, column_methods},
    {Py_tp_getset, column_attributes},
    {Py_sq_length, reinterpret_cast<void *>(column_length)},
    {Py_sq_item, reinterpret_cast<void *>(column_item)},
    {0, nullptr},
};

PyType_Spec column_spec = {
    "streamware.kernel._native.ArrowColumn",
    sizeof(ColumnObject),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    column_slots,
};

// The type ArrowStream -------------------------------------------------------------------------

struct StreamObject {
    PyObject_HEAD
    ArrowArrayStream stream;  // released if it has no `release`
    std::shared_ptr<const ArrowTable> *table;
    bool busy;    // whether a thread is in `next`
    bool closed;  // whether it is released after that
};

// What its code calls meanwhile finds nothing left to release.
void release_stream(StreamObject &self) {
    ArrowArrayStream moved = self.stream;
    self.stream.release = nullptr;
    release(moved);
}

// Raise what a producer tells of a failure; its codes are those of `errno`.
PyObject *failed(ArrowArrayStream &stream, int code) {
    const char *told = stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
    if (told == nullptr) told = "";
    const Reference text(
        PyUnicode_DecodeUTF8(told, static_cast<Py_ssize_t>(std::strlen(told)), "replace"));
    if (!text) return nullptr;
    const Reference said(PyUnicode_FromFormat("the Arrow stream failed: %U", text.get()));
    if (!said) return nullptr;
    const Reference error(PyObject_CallFunction(PyExc_OSError, "iO", code, said.get()));
    if (error) PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(error.get())), error.get());
    return nullptr;
}

PyObject *columns_of(std::shared_ptr<ArrowBatch> batch) {
    const ArrowArray &array = batch->array;
    const ArrowType &type = *batch->table->type;
    PyObject *made = PyTuple_New(static_cast<Py_ssize_t>(type.children.size()));
    const Place root{&type, &array, array.offset};
    for (size_t at = 0; made != nullptr && at < type.children.size(); ++at) {
        PyObject *column = new_column(
            {batch, root.child(at, root.at), static_cast<Py_ssize_t>(array.length)});
        if (column == nullptr) Py_CLEAR(made);
        else PyTuple_SET_ITEM(made, static_cast<Py_ssize_t>(at), column);
    }
    return made;
}

PyObject *checked_columns(std::shared_ptr<ArrowBatch> batch) {
    const ArrowArray &array = batch->array;
    std::string problem = wrong_with(*batch->table->type, array);
    if (problem.empty() && array.null_count != 0 && array.buffers[0] != nullptr) {
        problem = "rows must not be null";
    }
    if (!problem.empty()) return PyErr_Format(PyExc_BufferError, "%s", problem.c_str());
    PyObject *columns = columns_of(batch);
    return columns == nullptr ? nullptr : Py_BuildValue("nN", static_cast<Py_ssize_t>(array.length), columns);
}

// `next()`
PyObject *stream_next(PyObject *object, PyObject *) {
    auto &self = *reinterpret_cast<StreamObject *>(object);
    if (self.busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is reading the stream");
        return nullptr;
    }
    if (self.stream.release == nullptr) Py_RETURN_NONE;
    try {
        auto batch = std::make_shared<ArrowBatch>();
        batch->table = *self.table;
        self.busy = true;
        PyThreadState *state = PyEval_SaveThread();
        const int code = self.stream.get_next(&self.stream, &batch->array);
        PyEval_RestoreThread(state);
        self.busy = false;
        if (code != 0) {
            batch->array.release = nullptr;  // whatever is there was not given
            failed(self.stream, code);
        }
        if (self.closed) release_stream(self);
        if (code != 0) return nullptr;
        if (batch->array.release == nullptr) {
            release_stream(self);
            Py_RETURN_NONE;
        }
        return checked_columns(std::move(batch));
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

// `close()`
PyObject *stream_close(PyObject *object, PyObject *) {
    auto &self = *reinterpret_cast<StreamObject *>(object);
    self.closed = true;
    if (!self.busy) release_stream(self);
    Py_RETURN_NONE;
}

PyObject *stream_names(PyObject *object, void *) {
    const ArrowType &type = *(*reinterpret_cast<StreamObject *>(object)->table)->type;
    PyObject *names = PyList_New(0);
    for (const auto &child : type.children) {
        PyObject *name = names == nullptr ? nullptr
            : PyUnicode_DecodeUTF8(child->name.data(), static_cast<Py_ssize_t>(child->name.size()), "replace");
        if (name == nullptr || PyList_Append(names, name) < 0) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

// Read the schema of a stream; nullptr with the error set: TypeError if a type is not known.
std::unique_ptr<ArrowType> schema_of(ArrowArrayStream &stream, PyObject *zone_of) {
    ArrowSchema schema{};
    const int code = stream.get_schema(&stream, &schema);
    if (code != 0) return failed(stream, code), nullptr;
    if (schema.release == nullptr) {
        PyErr_SetString(PyExc_BufferError, "it has no schema");
        return nullptr;
    }
    struct Guard {
        ArrowSchema &schema;
        ~Guard() { release(schema); }
    } guard{schema};
    std::string unknown;
    auto type = read_type(schema, zone_of, unknown);
    if (type && (type->stored != Stored::STRUCT || schema.dictionary != nullptr)) {
        unknown = "a single column";
        type = nullptr;
    }
    if (!type && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, unknown.c_str());
    return type;
}

// `ArrowStream(capsule, zone_of, fine, span)`
PyObject *make_stream(PyTypeObject *type, PyObject *args, PyObject *) {
    PyObject *capsule, *zone_of, *fine, *span;
    if (!PyArg_ParseTuple(args, "OOOO", &capsule, &zone_of, &fine, &span)) return nullptr;
    auto *given = static_cast<ArrowArrayStream *>(
        PyCapsule_GetPointer(capsule, "arrow_array_stream"));
    if (given == nullptr) return nullptr;
    if (given->release == nullptr) {
        PyErr_SetString(PyExc_BufferError, "it was read before");
        return nullptr;
    }
    if (given->get_schema == nullptr || given->get_next == nullptr) {
        PyErr_SetString(PyExc_BufferError, "it has no functions to read it");
        return nullptr;
    }
    try {
        auto table = std::make_shared<ArrowTable>();
        table->type = schema_of(*given, zone_of);
        if (!table->type) return nullptr;
        table->fine = Py_NewRef(fine);
        table->span = Py_NewRef(span);
        auto held = std::make_unique<std::shared_ptr<const ArrowTable>>(std::move(table));
        PyObject *object = type->tp_alloc(type, 0);
        if (object == nullptr) return nullptr;
        auto &self = *reinterpret_cast<StreamObject *>(object);
        self.table = held.release();
        self.stream = *given;
        given->release = nullptr;  // moved
        return object;
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

void destroy_stream(PyObject *object) {
    auto &self = *reinterpret_cast<StreamObject *>(object);
    PyTypeObject *type = Py_TYPE(object);
    release_stream(self);
    delete self.table;
    type->tp_free(object);
    Py_DECREF(type);
}

PyMethodDef stream_methods[] = {
    {"next", stream_next, METH_NOARGS, nullptr},
    {"close", stream_close, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef stream_attributes[] = {
    {"names", stream_names, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot stream_slots[] = {
    {Py_tp_new, reinterpret_cast<void *>(make_stream)},
    {Py_tp_dealloc, reinterpret_cast<void *>(destroy_stream)},
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_attributes},
    {0, nullptr},
};

PyType_Spec stream_spec = {
    "streamware.kernel._native.ArrowStream",
    sizeof(StreamObject),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    stream_slots,
};

int add_type(PyObject *module, PyType_Spec &spec, PyTypeObject *&type, const char *name) {
    PyObject *made = PyType_FromSpec(&spec);
    if (made == nullptr) return -1;
    Py_XSETREF(type, reinterpret_cast<PyTypeObject *>(made));
    return PyModule_AddObjectRef(module, name, made);
}

}  // namespace

const ColumnCells *cells_of(PyObject *column) {
    if (Py_TYPE(column) == column_type) return &cells_in(column);
    PyErr_Format(PyExc_TypeError, "cells must be in an ArrowColumn, not in %s",
        Py_TYPE(column)->tp_name);
    return nullptr;
}

PyObject *object_of(const ColumnCells &cells, Py_ssize_t at) {
    const Place place{cells.first.type, cells.first.array, cells.first.at + at};
    try {
        bool others = false;
        const bool dicts = has_dicts(*place.type, others) && !others;
        PyObject *made = ObjectMaker(*cells.batch->table, dicts).make(place, false);
        if (made != nullptr || !dicts || !PyErr_ExceptionMatches(PyExc_KeyError)) return made;
        PyErr_Clear();  // a key is twice in a map
        return ObjectMaker(*cells.batch->table, false).make(place, false);
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

int add_arrow_types(PyObject *module) {
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) return -1;
    PyObject *decimals = PyImport_ImportModule("decimal");
    if (decimals == nullptr) return -1;
    Py_XSETREF(decimal, PyObject_GetAttrString(decimals, "Decimal"));
    Py_DECREF(decimals);
    if (decimal == nullptr) return -1;
    if (add_type(module, stream_spec, stream_type, "ArrowStream") < 0) return -1;
    return add_type(module, column_spec, column_type, "ArrowColumn");
}
