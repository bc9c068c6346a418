#define PY_SSIZE_T_CLEAN
#include "pull.hpp"

#include "reference.hpp"
#include "slots.hpp"

#include <time.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

namespace {

PyTypeObject *decimal_type = nullptr;
PyObject *decimal_memory = nullptr;  // `Decimal.__sizeof__`
PyObject *system_clock = nullptr;    // `time.monotonic`

constexpr long NUMBER = 256;  // bytes of memory up to which a number weighs nothing
constexpr Py_ssize_t HEAVIEST = Py_ssize_t{1} << 32;  // that a cell is taken for

// What a weight is called that has to be asked for, or that cannot be known.
constexpr Py_ssize_t ASK = -1, FAILED = -2;

// Whether a cell may be text or hold text, whatever an attribute is called.
bool is_holder(PyObject *cell) {
    return PyUnicode_Check(cell) || PyBytes_Check(cell) || PyByteArray_Check(cell)
        || PyList_Check(cell) || PyDict_Check(cell) || PyTuple_Check(cell);
}

// Weighs rows of ordinary types; asks Python about cells and rows of others.
class Scale {
public:
    // Of objects, None or `(type, descriptors of slots)`; None in place of these if the cells are
    // what an object of this type iterates over.
    // Returns false with the error set.
    bool read(PyObject *weightless, PyObject *cell_size, PyObject *row_size, PyObject *objects) {
        weightless_ = weightless;
        cell_size_ = cell_size;
        row_size_ = row_size;
        if (objects == Py_None) return true;
        return must_be_tuple(objects)
            && PyArg_ParseTuple(objects, "O!O:objects", &PyType_Type, &object_, &slots_)
            && check_slots();
    }

    // The characters of a row; FAILED with the error set if they cannot be known.
    Py_ssize_t weigh(PyObject *row) {
        if (is_tuple(row)) {
            return weigh_all(PySequence_Fast_ITEMS(row), PyTuple_GET_SIZE(row));
        }
        if (PyList_CheckExact(row)) {
            return weigh_all(PySequence_Fast_ITEMS(row), PyList_GET_SIZE(row));
        }
        if (is_dict(row)) return weigh_dict(row);
        if (Py_TYPE(row) != object_) return ask(row_size_, row);
        return slots_ == Py_None ? weigh_sequence(row) : weigh_object(row);
    }

private:
    PyObject *weightless_ = nullptr;  // a tuple of the types whose cells hold no text
    PyObject *cell_size_ = nullptr, *row_size_ = nullptr;
    PyTypeObject *object_ = nullptr;  // a type whose instances have their cells in attributes
    PyObject *slots_ = nullptr;
    PyTypeObject *tuple_ = &PyTuple_Type;  // a type whose cells are those of the tuple that it is
    std::vector<Reference> odd_;           // the cells of a row to ask about, once it is read

    // Whether a row is a tuple, or of a class that does not change how its cells are read.
    bool is_tuple(PyObject *row) {
        PyTypeObject *const type = Py_TYPE(row);
        if (!PyTuple_Check(row)) return false;
        if (type == &PyTuple_Type || type == tuple_) return true;
        if (type->tp_iter != PyTuple_Type.tp_iter
            || type->tp_as_mapping->mp_subscript != PyTuple_Type.tp_as_mapping->mp_subscript
            || type->tp_as_sequence->sq_length != PyTuple_Type.tp_as_sequence->sq_length) {
            return false;
        }
        tuple_ = type;
        return true;
    }

    static bool is_dict(PyObject *row) {
        return PyDict_CheckExact(row) || (PyDict_Check(row) && Py_TYPE(row)->tp_as_mapping
            ->mp_subscript == PyDict_Type.tp_as_mapping->mp_subscript);
    }

    // Whether slots are those of `object_`, so that each is inside of its instances.
    bool check_slots() {
        if (slots_ == Py_None) return true;
        if (!PyTuple_CheckExact(slots_)) {
            PyErr_SetString(PyExc_TypeError, "slots must be a tuple or None");
            return false;
        }
        for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(slots_); ++at) {
            PyObject *const slot = PyTuple_GET_ITEM(slots_, at);
            if (!is_slot_of(object_, slot)) {
                PyErr_SetString(PyExc_TypeError, "slots must be descriptors of the type");
                return false;
            }
        }
        return true;
    }

    // No code of the caller runs meanwhile, so that the cells stay where they are.
    Py_ssize_t weigh_all(PyObject *const *cells, Py_ssize_t count) {
        Py_ssize_t total = 0;
        for (Py_ssize_t at = 0; at < count; ++at) {
            if (!add(cells[at], total)) return FAILED;
        }
        return odd_.empty() ? total : add_odd(total);
    }

    Py_ssize_t weigh_dict(PyObject *row) {
        Py_ssize_t total = 0, place = 0;
        PyObject *cell;
        while (PyDict_Next(row, &place, nullptr, &cell)) {
            if (!add(cell, total)) return FAILED;
        }
        return odd_.empty() ? total : add_odd(total);
    }

    Py_ssize_t weigh_sequence(PyObject *row) {
        const Reference cells(PySequence_Tuple(row));
        if (cells) return weigh_all(PySequence_Fast_ITEMS(cells.get()), PyTuple_GET_SIZE(cells.get()));
        if (!PyErr_ExceptionMatches(PyExc_Exception)) return FAILED;
        PyErr_Clear();  // it is raised again where the row is read
        return ask(row_size_, row);
    }

    // An attribute whose name begins with an underscore is often what a property returns.  It counts
    // if it is text or a container: the state of an ORM is no cell.
    Py_ssize_t weigh_object(PyObject *row) {
        Py_ssize_t total = 0, place = 0;
        const Reference attributes = dict_of(row);
        if (PyErr_Occurred()) return FAILED;
        PyObject *name, *cell;
        while (attributes && PyDict_Next(attributes.get(), &place, &name, &cell)) {
            const bool hidden = PyUnicode_Check(name) && PyUnicode_GET_LENGTH(name)
                && PyUnicode_READ_CHAR(name, 0) == '_' && !is_holder(cell);
            if (!hidden && !add(cell, total)) return FAILED;
        }
        for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(slots_); ++at) {
            PyObject *const slot = PyTuple_GET_ITEM(slots_, at);
            PyObject *const cell = in_slot(row, slot);
            if (cell == nullptr || (member_of(slot).name[0] == '_' && !is_holder(cell))) continue;
            if (!add(cell, total)) return FAILED;
        }
        return odd_.empty() ? total : add_odd(total);
    }

    // Add the weight of a cell, or the cell to the odd ones; false with the error set.
    bool add(PyObject *cell, Py_ssize_t &total) {
        const Py_ssize_t weight = weigh_cell(cell);
        if (weight == FAILED) return false;
        if (weight == ASK) {
            odd_.emplace_back(Py_NewRef(cell));
        } else {
            total += weight;
        }
        return true;
    }

    Py_ssize_t weigh_cell(PyObject *cell) {
        PyTypeObject *const type = Py_TYPE(cell);
        if (type == &PyUnicode_Type) return PyUnicode_GET_LENGTH(cell);
        if (type == &PyLong_Type) {
            int overflow = 0;
            PyLong_AsLongLongAndOverflow(cell, &overflow);
            return overflow ? ASK : 0;
        }
        if (type == decimal_type) return weigh_decimal(cell);
        const Py_ssize_t count = PyTuple_GET_SIZE(weightless_);
        for (Py_ssize_t at = 0; at < count; ++at) {
            if (PyTuple_GET_ITEM(weightless_, at) == reinterpret_cast<PyObject *>(type)) return 0;
        }
        return type == &PyBytes_Type ? PyBytes_GET_SIZE(cell) : ASK;
    }

    static Py_ssize_t weigh_decimal(PyObject *cell) {
        const Reference memory(PyObject_CallOneArg(decimal_memory, cell));
        if (!memory) return FAILED;
        const long bytes = PyLong_AsLong(memory.get());
        if (bytes == -1 && PyErr_Occurred()) return FAILED;
        return bytes > NUMBER ? ASK : 0;
    }

    Py_ssize_t add_odd(Py_ssize_t total) {
        const std::vector<Reference> odd = std::move(odd_);
        odd_.clear();
        for (const Reference &cell : odd) {
            const Py_ssize_t weight = ask(cell_size_, cell.get());
            if (weight == FAILED) return FAILED;
            total += weight;
        }
        return total;
    }

    static Py_ssize_t ask(PyObject *size, PyObject *of) {
        const Reference given(PyObject_CallOneArg(size, of));
        if (!given) return FAILED;
        int overflow = 0;
        const long long weight = PyLong_AsLongLongAndOverflow(given.get(), &overflow);
        if (weight == -1 && PyErr_Occurred()) return FAILED;
        if (overflow) return HEAVIEST;
        return static_cast<Py_ssize_t>(std::clamp<long long>(weight, 0, HEAVIEST));
    }
};

// Whether the time is past `due`, a list of one float; -1 with the error set if it is unknown.
int is_late(PyObject *clock, PyObject *due) {
    double now;
#ifdef __linux__
    if (clock == system_clock) {  // which is this one, read without a call
        timespec read;
        clock_gettime(CLOCK_MONOTONIC, &read);
        now = static_cast<double>(read.tv_sec) + static_cast<double>(read.tv_nsec) * 1e-9;
    } else
#endif
    {
        const Reference told(PyObject_CallNoArgs(clock));
        if (!told) return -1;
        now = PyFloat_AsDouble(told.get());
        if (now == -1 && PyErr_Occurred()) return -1;
    }
    if (PyList_GET_SIZE(due) != 1 || !PyFloat_CheckExact(PyList_GET_ITEM(due, 0))) {
        PyErr_SetString(PyExc_ValueError, "due must be a list of one float");
        return -1;
    }
    return now > PyFloat_AS_DOUBLE(PyList_GET_ITEM(due, 0));
}

// Pull up to `most` rows; return what is left of `room`, whether all came, and whether none is left.
PyObject *pull_rows(
    PyObject *rows, Py_ssize_t most, PyObject *pending, Py_ssize_t room, PyObject *due,
    PyObject *clock, Scale &scale
) {
    for (Py_ssize_t count = 0; count < most; ++count) {
        const Reference row(PyIter_Next(rows));
        if (!row) {
            if (PyErr_Occurred()) return nullptr;
            return Py_BuildValue("nOO", room, Py_False, Py_True);
        }
        if (PyList_Append(pending, row.get()) < 0) return nullptr;
        const Py_ssize_t weight = scale.weigh(row.get());
        if (weight == FAILED) return nullptr;
        room -= weight;
        const int late = is_late(clock, due);
        if (late < 0) return nullptr;
        if (room < 0 || late) return Py_BuildValue("nOO", room, Py_False, Py_False);
    }
    return Py_BuildValue("nOO", room, Py_True, Py_False);
}

PyObject *attribute(const char *module, const char *name) {
    const Reference imported(PyImport_ImportModule(module));
    return imported ? PyObject_GetAttrString(imported.get(), name) : nullptr;
}

}  // namespace

int import_clock() {
    PyObject *decimal = attribute("decimal", "Decimal");
    if (decimal == nullptr) return -1;
    Py_XSETREF(decimal_type, reinterpret_cast<PyTypeObject *>(decimal));
    PyObject *memory = PyObject_GetAttrString(decimal, "__sizeof__");
    if (memory == nullptr) return -1;
    Py_XSETREF(decimal_memory, memory);
    PyObject *clock = attribute("time", "monotonic");
    if (clock == nullptr) return -1;
    Py_XSETREF(system_clock, clock);
    return 0;
}

PyObject *pull(PyObject *, PyObject *args) {
    PyObject *rows, *pending, *due, *clock, *weightless, *cell_size, *row_size, *objects;
    Py_ssize_t most, room;
    if (!PyArg_ParseTuple(args, "OnO!nO!OO!OOO:pull", &rows, &most, &PyList_Type, &pending, &room,
            &PyList_Type, &due, &clock, &PyTuple_Type, &weightless, &cell_size, &row_size,
            &objects)) {
        return nullptr;
    }
    if (!PyIter_Check(rows)) {
        return PyErr_Format(PyExc_TypeError, "rows must be an iterator, not %s",
            Py_TYPE(rows)->tp_name);
    }
    try {
        Scale scale;
        if (!scale.read(weightless, cell_size, row_size, objects)) return nullptr;
        return pull_rows(rows, most, pending, room, due, clock, scale);
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}
