// columns: reads rows with named cells, a list for each column.

#pragma once

#include <Python.h>

// `columns(rows, kind, keys, whole, lenient)`
PyObject *columns(PyObject *module, PyObject *args);

// `alike(rows, kind, width)`: whether all rows are of a type, `tuple` or `list`, and of a width.
PyObject *alike(PyObject *module, PyObject *args);
