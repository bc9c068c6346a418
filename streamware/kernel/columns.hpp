// columns: reads rows with named cells, a list for each column.

#pragma once

#include <Python.h>

// `columns(rows, kind, keys, whole, lenient)`
PyObject *columns(PyObject *module, PyObject *args);
