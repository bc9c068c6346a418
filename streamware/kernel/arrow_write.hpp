// Writes the rows of Arrow's arrays, without the interpreter's lock.

#pragma once

#include "plan.hpp"

#include <Python.h>

// `write_arrow(columns, spliced, first, count, ask)`: as `Plan.write`, for a list of ArrowColumns.
PyObject *write_arrow(Plan &plan, PyObject *args);
