// The extension module `streamware.kernel._native`; see docs/kernel.md.

#include "arrow_objects.hpp"
#include "cells.hpp"
#include "columns.hpp"
#include "plan.hpp"
#include "pull.hpp"

#include <Python.h>

namespace {

// What the Python side was written for; `streamware.kernel` compares it with its own.
constexpr int VERSION = 13;

// The checksum of the sources, from `hatch_build.py`; 0 if something else compiled them.
#ifndef STREAMWARE_SOURCES
#define STREAMWARE_SOURCES 0
#endif

int execute(PyObject *module) {
    // Types of the standard library are kept in static variables: one interpreter may use them.
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "the kernel works in the main interpreter only");
        return -1;
    }
    if (import_types() < 0 || import_clock() < 0) return -1;
    if (add_plan_types(module) < 0 || add_arrow_types(module) < 0) return -1;
    if (PyModule_AddIntConstant(module, "SOURCES", STREAMWARE_SOURCES) < 0) return -1;
    return PyModule_AddIntConstant(module, "VERSION", VERSION);
}

PyMethodDef methods[] = {
    {"columns", columns, METH_VARARGS, nullptr},
    {"alike", alike, METH_VARARGS, nullptr},
    {"pull", pull, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void *>(execute)},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", nullptr, 0, methods, slots, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit__native() { return PyModuleDef_Init(&definition); }
