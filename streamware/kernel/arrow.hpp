// Reads the arrays of the Arrow C data interface, without any library of Arrow's.
//
// The interface does not tell how long buffers are.  Everything else that an array states is
// checked before it is used: what cannot be right is an error, and no read outside of a buffer.
//
// Source: https://arrow.apache.org/docs/format/CDataInterface.html, CStreamInterface.html.

#pragma once

#include "cells.hpp"

#include <Python.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    ArrowSchema **children, *dictionary;
    void (*release)(ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    ArrowArray **children, *dictionary;
    void (*release)(ArrowArray *);
    void *private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(ArrowArrayStream *, ArrowSchema *);
    int (*get_next)(ArrowArrayStream *, ArrowArray *);
    const char *(*get_last_error)(ArrowArrayStream *);
    void (*release)(ArrowArrayStream *);
    void *private_data;
};

// What is stored.
enum class Stored {
    NOTHING, BOOL, SIGNED, UNSIGNED, FLOAT, DECIMAL, TEXT, BYTES,
    DATE, TIME, TIMESTAMP, DURATION, INTERVAL,
    LIST, LIST_VIEW, STRUCT, MAP, DICTIONARY, RUNS,
};

// How long the items are of texts, bytes and lists.
enum class Lengths { OFFSETS_32, OFFSETS_64, VIEWS, FIXED };

struct ArrowType {
    Stored stored = Stored::NOTHING;
    Lengths lengths = Lengths::FIXED;
    int64_t width = 0;  // bytes, or items of a list, of a value of fixed length
    int64_t unit = 1;   // of time: how many are a second
    int scale = 0;      // of a decimal
    bool is_unsigned = false;  // of an integer, or of the indices of a dictionary
    std::string format, zone_name, name;
    PyObject *zone = nullptr;  // of a timestamp, if it has one; owned
    PyObject *key = nullptr;   // the name, for a struct; owned
    // Of lists and structs; the values of a dictionary; the ends and the values of runs.
    std::vector<std::unique_ptr<ArrowType>> children;

    ArrowType() = default;
    ArrowType(const ArrowType &) = delete;
    ArrowType &operator=(const ArrowType &) = delete;
    ~ArrowType() {
        Py_XDECREF(zone);
        Py_XDECREF(key);
    }
};

// Return the type of a field; nullptr with `unknown` telling what is not known, and with the error
// of Python set if that is another one.  `zone_of` makes a tzinfo of the name of a time zone.
std::unique_ptr<ArrowType> read_type(const ArrowSchema &schema, PyObject *zone_of,
    std::string &unknown);

// Return what is wrong with an array of this type, or nothing.
std::string wrong_with(const ArrowType &type, const ArrowArray &array);

// A place in the buffers of an array, and its type.
struct Place {
    const ArrowType *type;
    const ArrowArray *array;
    int64_t at;  // counted from the start of the buffers

    template <typename T>
    T load(int64_t buffer, int64_t at_item) const {
        T value;
        const auto *items = static_cast<const char *>(array->buffers[buffer]);
        std::memcpy(&value, items + at_item * static_cast<int64_t>(sizeof(T)), sizeof(T));
        return value;
    }
    bool bit(int64_t buffer) const {
        return static_cast<const uint8_t *>(array->buffers[buffer])[at >> 3] >> (at & 7) & 1;
    }
    Place child(size_t which, int64_t at_item) const {
        const ArrowArray *inner = array->children[which];
        return {type->children[which].get(), inner, inner->offset + at_item};
    }
};

enum class Found { EMPTY, VALUE, WRONG };

inline bool is_null(const Place &place) {
    const ArrowArray &array = *place.array;
    if (array.n_buffers == 0 || array.null_count == 0 || array.buffers[0] == nullptr) return false;
    return array.null_count == array.length || !place.bit(0);
}

// Follow dictionaries and runs to where the value is.
Found follow(Place &place);

inline Found find(Place &place) {
    const Stored stored = place.type->stored;
    if (stored == Stored::NOTHING || stored == Stored::DICTIONARY || stored == Stored::RUNS) {
        return follow(place);
    }
    return is_null(place) ? Found::EMPTY : Found::VALUE;
}

// The bytes of a text; false if the array is wrong.
bool read_bytes_at(const Place &place, std::string_view &bytes);

// The items of a list, as places in its child; false if the array is wrong.
bool read_items_at(const Place &place, int64_t &first, int64_t &count);

// An integer of 8 to 64 bits, of which dates and times are made, too; one of 64 without a sign is
// negative if it is beyond.
inline int64_t read_integer(const Place &place) {
    const bool is_unsigned = place.type->is_unsigned;
    switch (place.type->width) {
    case 1: return is_unsigned ? place.load<uint8_t>(1, place.at) : place.load<int8_t>(1, place.at);
    case 2:
        return is_unsigned ? place.load<uint16_t>(1, place.at) : place.load<int16_t>(1, place.at);
    case 4:
        return is_unsigned ? int64_t{place.load<uint32_t>(1, place.at)}
                           : int64_t{place.load<int32_t>(1, place.at)};
    default: return place.load<int64_t>(1, place.at);
    }
}

double read_float(const Place &place);

// The digits of a decimal, without its sign and scale, and whether it is negative.
std::string read_digits(const Place &place, bool &negative);

// The bytes of texts in `count` values from a place on; -1 if the array is wrong.
int64_t weigh(const Place &first, int64_t count);

// A moment or a span: whole days and what is left of a day.
struct Span {
    int64_t days, seconds, micros;
    bool is_fine;  // whether nanoseconds were lost
};

// Split units of time; seconds and microseconds are not negative.
Span split(int64_t value, int64_t unit);

constexpr int64_t FIRST_DAY = -719'162, LAST_DAY = 2'932'896;  // 0001-01-01, 9999-12-31

// The day of the Gregorian calendar that is so many after 1970-01-01.
Day day_of(int64_t days);

// A day of a date; false if Python has no such date.
bool read_day(const Place &place, Day &day);
