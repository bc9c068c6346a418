#define PY_SSIZE_T_CLEAN
#include "columns.hpp"

#include "reference.hpp"
#include "slots.hpp"

#include <new>
#include <vector>

namespace {

enum class Outcome { READ, UNLIKE, FAILED };

// Reads the cells of dicts, or of objects that have them in their `__dict__` or in slots.
class RowReader {
public:
    // If `whole`, a dict may have no other keys; if `lenient`, a cell that is not there is None.
    RowReader(PyTypeObject *type, PyObject *keys, bool whole, bool lenient)
        : type_(type), keys_(keys), whole_(whole), lenient_(lenient) {}

    // Append the cells of a row.
    Outcome read(PyObject *row, std::vector<Reference> &cells) const {
        if (Py_TYPE(row) != type_) return Outcome::UNLIKE;
        const Reference own = dict_of(row);
        if (PyErr_Occurred()) return Outcome::FAILED;
        Py_ssize_t place = 0, found = 0;
        for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(keys_); ++at) {
            PyObject *const key = PyTuple_GET_ITEM(keys_, at);
            PyObject *const cell = is_slot_of(type_, key) ? in_slot(row, key)
                : own                                     ? find(own.get(), key, place)
                                                          : nullptr;
            if (cell != nullptr) {
                ++found;
                cells.emplace_back(Py_NewRef(cell));
                continue;
            }
            if (PyErr_Occurred()) return Outcome::FAILED;
            if (!lenient_) return Outcome::UNLIKE;
            cells.emplace_back(Py_NewRef(Py_None));
        }
        return whole_ && own && found != PyDict_GET_SIZE(own.get()) ? Outcome::UNLIKE : Outcome::READ;
    }

private:
    PyTypeObject *type_;
    PyObject *keys_;
    bool whole_, lenient_;

    // Most dicts have the keys in the order of the columns, and the same objects.
    static PyObject *find(PyObject *dict, PyObject *key, Py_ssize_t &place) {
        PyObject *name, *cell;
        for (int tries = 0; tries < 2 && PyDict_Next(dict, &place, &name, &cell); ++tries) {
            if (name == key) return cell;
        }
        return PyDict_GetItemWithError(dict, key);
    }
};

// Lists of the columns, from the cells of one row after the other.
PyObject *transposed(const std::vector<Reference> &cells, Py_ssize_t width, Py_ssize_t count) {
    Reference made(PyList_New(width));
    for (Py_ssize_t column = 0; made && column < width; ++column) {
        PyObject *list = PyList_New(count);
        if (list == nullptr) return nullptr;
        for (Py_ssize_t row = 0; row < count; ++row) {
            PyObject *cell = cells[static_cast<size_t>(row * width + column)].get();
            PyList_SET_ITEM(list, row, Py_NewRef(cell));
        }
        PyList_SET_ITEM(made.get(), column, list);
    }
    return Py_XNewRef(made.get());
}

PyObject *read_rows(PyObject *rows, const RowReader &reader, Py_ssize_t width) {
    std::vector<Reference> cells;
    cells.reserve(static_cast<size_t>(PyList_GET_SIZE(rows) * width));
    Py_ssize_t count = 0;
    for (; count < PyList_GET_SIZE(rows); ++count) {
        const Reference row(Py_NewRef(PyList_GET_ITEM(rows, count)));
        const Outcome outcome = reader.read(row.get(), cells);
        if (outcome == Outcome::FAILED) return nullptr;
        if (outcome == Outcome::UNLIKE) Py_RETURN_NONE;
    }
    return transposed(cells, width, count);
}

}  // namespace

PyObject *columns(PyObject *, PyObject *args) {
    PyObject *rows, *type, *keys;
    int whole, lenient;
    if (!PyArg_ParseTuple(args, "O!O!O!pp:columns", &PyList_Type, &rows, &PyType_Type, &type,
            &PyTuple_Type, &keys, &whole, &lenient)) {
        return nullptr;
    }
    try {
        const RowReader reader(reinterpret_cast<PyTypeObject *>(type), keys, whole, lenient);
        return read_rows(rows, reader, PyTuple_GET_SIZE(keys));
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

PyObject *alike(PyObject *, PyObject *args) {
    PyObject *rows, *type;
    Py_ssize_t width;
    if (!PyArg_ParseTuple(args, "O!O!n:alike", &PyList_Type, &rows, &PyType_Type, &type, &width)) {
        return nullptr;
    }
    if (type != reinterpret_cast<PyObject *>(&PyTuple_Type)
        && type != reinterpret_cast<PyObject *>(&PyList_Type)) {
        PyErr_SetString(PyExc_TypeError, "the type of rows must be tuple or list");
        return nullptr;
    }
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(rows); ++at) {
        PyObject *const row = PyList_GET_ITEM(rows, at);
        if (reinterpret_cast<PyObject *>(Py_TYPE(row)) != type || Py_SIZE(row) != width) {
            Py_RETURN_FALSE;
        }
    }
    Py_RETURN_TRUE;
}
