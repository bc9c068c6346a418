// The types of Python that hold Arrow's arrays, and the objects that their values are.

#pragma once

#include "arrow.hpp"

#include <Python.h>

#include <memory>

// Keeps the error of Python that is set while the code of a producer runs, which may be Python's.
class KeptError {
public:
    KeptError() { PyErr_Fetch(&type_, &value_, &traceback_); }
    ~KeptError() { PyErr_Restore(type_, value_, traceback_); }
    KeptError(const KeptError &) = delete;
    KeptError &operator=(const KeptError &) = delete;

private:
    PyObject *type_, *value_, *traceback_;
};

// Release what a producer has given, if it was not done.
template <typename T>
void release(T &given) {
    if (given.release == nullptr) return;
    const KeptError error;
    given.release(&given);
    given.release = nullptr;
}

// What all batches of a stream share.
struct ArrowTable {
    std::unique_ptr<ArrowType> type;
    PyObject *fine = nullptr;  // marks a value that has lost nanoseconds; owned
    PyObject *span = nullptr;  // makes an interval, whether or not it is nested; owned

    ArrowTable() = default;
    ArrowTable(const ArrowTable &) = delete;
    ArrowTable &operator=(const ArrowTable &) = delete;
    ~ArrowTable() {
        Py_XDECREF(fine);
        Py_XDECREF(span);
    }
};

// An array that is released with the last column that refers to it.
struct ArrowBatch {
    std::shared_ptr<const ArrowTable> table;
    ArrowArray array{};

    ArrowBatch() = default;
    ArrowBatch(const ArrowBatch &) = delete;
    ArrowBatch &operator=(const ArrowBatch &) = delete;
    ~ArrowBatch() { release(array); }
};

struct ColumnCells {
    std::shared_ptr<const ArrowBatch> batch;
    Place first;
    Py_ssize_t length;
};

// Return the cells of an ArrowColumn; nullptr with the error set if the object is something else.
const ColumnCells *cells_of(PyObject *column);

// Return a new reference to the value of a cell; nullptr with the error set.
PyObject *object_of(const ColumnCells &cells, Py_ssize_t at);

// Make the types `ArrowStream` and `ArrowColumn`; -1 with the error set if that fails.
int add_arrow_types(PyObject *module);
