// CellWriter: writes one cell after the other into a buffer, or tells that Python has to.

#pragma once

#include "numbers.hpp"
#include "plan.hpp"

#include <Python.h>

struct Day {
    int year, month, day;
};

struct Clock {
    int hour, minute, second, micros;
};

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

    // Return the bytes, and what was counted, or None; NULL with the error set.
    PyObject *result() const;

    // Append a cell that Python has written; false with the error set if it is no bytes.
    bool splice(PyObject *written);

    // The same as `write`, of values that are no objects: without the interpreter's lock.  Where
    // numbers are written by Python, `put_float` needs it.
    void put_empty(const ColumnPlan &column) { out_.append(column.markup->kinds[EMPTY].before); }
    template <typename C>
    Written put_text(const ColumnPlan &column, const C *text, Py_ssize_t length);
    Written put_bool(const ColumnPlan &column, bool value);
    Written put_int(const ColumnPlan &column, int64_t value);
    Written put_number(const ColumnPlan &column, double value);
    Written put_float(const ColumnPlan &column, double value, Kind kind);
    Written put_digits(const ColumnPlan &column, std::string_view digits);
    Written put_day(const ColumnPlan &column, const Day &day);
    Written put_moment(const ColumnPlan &column, const Day &day, const Clock &clock, Kind kind);
    Written put_clock(const ColumnPlan &column, const Clock &clock);
    Written put_span(const ColumnPlan &column, int64_t days, int seconds, int micros);

private:
    const Plan &plan_;
    Buffer &out_;
    char number_[24];
    size_t number_length_ = 0;
    size_t opened_ = 0;  // bytes before the text of the cell
    Counts counts_{};

    void open(const ColumnPlan &column, Kind kind);
    Written close(const ColumnPlan &column, Kind kind);
    void use_decimal_sign(size_t from);
    Written put_negative_span(const ColumnPlan &column, int64_t days, int seconds, int micros);
    Written put_early(const ColumnPlan &column, const Day &day, const Clock *clock, Kind kind);
    Written text_of(const ColumnPlan &column, PyObject *value);
    Written int_of(const ColumnPlan &column, PyObject *value);
    Written decimal_of(const ColumnPlan &column, PyObject *value);
    Written moment_of(const ColumnPlan &column, PyObject *value);
    Written clock_of(const ColumnPlan &column, PyObject *value);
};
