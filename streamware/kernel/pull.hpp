// pull: takes rows from an iterator and weighs them, the innermost loop of every export.

#pragma once

#include <Python.h>

// Import what `pull` needs; -1 with the error set if that fails.
int import_clock();

// `pull(rows, most, pending, room, due, clock, weightless, cell_size, row_size, objects)`
PyObject *pull(PyObject *module, PyObject *args);
