// Reference: owns a reference to a Python object.

#pragma once

#include <Python.h>

#include <utility>

class Reference {
public:
    explicit Reference(PyObject *owned) : object_(owned) {}
    Reference(Reference &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Reference(const Reference &) = delete;
    Reference &operator=(const Reference &) = delete;
    ~Reference() { Py_XDECREF(object_); }
    PyObject *get() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }

private:
    PyObject *object_;
};

// Whether something is a tuple, as `PyArg_ParseTuple` takes for granted; false with the error set.
inline bool must_be_tuple(PyObject *given) {
    if (PyTuple_Check(given)) return true;
    PyErr_Format(PyExc_TypeError, "there must be a tuple, not %s", Py_TYPE(given)->tp_name);
    return false;
}
