// CellWriter: writes one cell after the other into a buffer, or tells that Python has to.

#pragma once

#include "numbers.hpp"
#include "plan.hpp"

#include <Python.h>

// The outcome of a cell.
enum class Written { DONE, ASK, FAILED };

// Import what the types of cells are recognised by; -1 with the error set if that fails.
int import_types();

class CellWriter {
public:
    CellWriter(const Plan &plan, Buffer &out) : plan_(plan), out_(out) {}

    // Begin the row of this number.
    void start_row(int64_t number);
    void end_row() { out_.append(plan_.row_end); }

    // Write the cell of a column; on ASK and FAILED nothing of it is in the buffer.
    Written write(const ColumnPlan &column, PyObject *value);

    // Append a cell that Python has written; false with the error set if it is no bytes.
    bool splice(PyObject *written);

private:
    const Plan &plan_;
    Buffer &out_;
    char number_[24];
    size_t number_length_ = 0;

    void open(const ColumnPlan &column, Kind kind);
    Written close(const ColumnPlan &column, Kind kind);
    void put_empty(const ColumnPlan &column);
    void use_decimal_sign(size_t from);
    Written put_text(const ColumnPlan &column, PyObject *value);
    Written put_int(const ColumnPlan &column, PyObject *value);
    Written put_float(const ColumnPlan &column, double value, Kind kind);
    Written put_decimal(const ColumnPlan &column, PyObject *value);
    Written put_day(const ColumnPlan &column, PyObject *value);
    Written put_moment(const ColumnPlan &column, PyObject *value);
    Written put_clock(const ColumnPlan &column, PyObject *value);
    Written put_span(const ColumnPlan &column, PyObject *value);
};
