// Plan: how the cells of one table are written, learned once from Python.

#pragma once

#include "buffer.hpp"
#include "text.hpp"

#include <Python.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// The kinds of cells, in the order in which Python states their markup.
enum Kind { EMPTY, TEXT, SPACED, NUMBER, BOOL, DATE, DATETIME, ZONED, TIME, DURATION, KINDS };

// The types of values that a column may have, as bits.
enum Type : unsigned {
    IS_STR = 1,
    IS_INT = 2,
    IS_FLOAT = 4,
    IS_BOOL = 8,
    IS_DATE = 16,
    IS_NAIVE = 32,
    IS_UTC = 64,
    IS_DECIMAL = 128,
    IS_TIME = 256,
    IS_TIMEDELTA = 512,
};

struct Markup {
    Literal before, after;
    // Between the text and its repetition, in which a date-time has a blank for `T`; empty: it is
    // not repeated.
    Literal again;
};

struct ColumnMarkup {
    std::array<Markup, KINDS> kinds;
    size_t longest = 0;  // bytes
};

struct ColumnPlan {
    Literal reference;  // before the number of the row, if `numbered`
    bool numbered = false;
    unsigned types = 0;
    std::shared_ptr<const ColumnMarkup> markup;  // columns next to each other may share it
};

struct ValueRules {
    Literal yes, no;
    bool serials = false;        // whether dates are numbers, and no ISO 8601 text
    bool bounded = false;        // whether there are dates that are not written here
    int64_t epoch = 0;           // days from 1970-01-01 to the day whose serial is 0
    int64_t first = 0;           // the first serial that is written here
    int64_t beyond = 0;          // the first serial that is not
    int64_t largest = 0;         // the largest integer; 0: any of 64 bits
    bool big_as_text = false;       // whether larger ones are text
    bool non_finite_empty = false;  // whether NaN and infinities are empty cells
    Py_ssize_t digits = 0;       // characters of a Decimal; 0: any number
    char decimal = '.';          // the decimal sign of numbers
};

struct Rules {
    TextRules text;
    ValueRules values;
};

struct Plan {
    Literal row_start, row_number, row_end;  // `row_number` follows the number of the row
    bool numbered = false;
    std::vector<ColumnPlan> columns;
    std::shared_ptr<const Rules> rules;  // many documents have the same ones
    Buffer kept;
};

// Make the types `Rules` and `Plan`; -1 with the error set if that fails.
int add_plan_types(PyObject *module);
