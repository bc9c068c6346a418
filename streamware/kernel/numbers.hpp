// Writes integers, doubles, dates and spans of time, each as Python's own text of it.
//
// Every function writes at `p`, where there is room, and returns the end of what it wrote.

#pragma once

#include <Python.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

constexpr size_t LONGEST_NUMBER = 40;  // characters of an integer or a double

inline constexpr char PAIRS[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

inline char *put_pair(char *p, unsigned value) {
    std::memcpy(p, PAIRS + 2 * value, 2);
    return p + 2;
}

inline char *put_unsigned(char *p, uint64_t value) {
    char digits[20];
    int at = 20;
    while (value >= 100) {
        at -= 2;
        put_pair(digits + at, static_cast<unsigned>(value % 100));
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        put_pair(digits + at, static_cast<unsigned>(value));
    } else {
        digits[--at] = static_cast<char>('0' + value);
    }
    std::memcpy(p, digits + at, static_cast<size_t>(20 - at));
    return p + 20 - at;
}

inline char *put_integer(char *p, int64_t value) {
    if (value >= 0) return put_unsigned(p, static_cast<uint64_t>(value));
    *p++ = '-';
    return put_unsigned(p, 0 - static_cast<uint64_t>(value));
}

#ifdef __cpp_lib_to_chars
constexpr bool NEEDS_LOCK = false;
#else
constexpr bool NEEDS_LOCK = true;  // of the interpreter, for `put_double`
#endif

// As `repr` has a finite double; nullptr if there is no memory, with the error set.
inline char *put_double(char *p, double value) {
#ifdef __cpp_lib_to_chars
    const double size = std::fabs(value);
    const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);  // `repr` has no exponent
    const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
    char *end = std::to_chars(p, p + LONGEST_NUMBER, value, format).ptr;
    if (!plain || std::memchr(p, '.', static_cast<size_t>(end - p)) != nullptr) return end;
    std::memcpy(end, ".0", 2);
    return end + 2;
#else
    char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
    if (text == nullptr) return nullptr;
    const size_t length = std::strlen(text);
    std::memcpy(p, text, length);
    PyMem_Free(text);
    return p + length;
#endif
}

// Days from 1970-01-01 to a day of the Gregorian calendar.
inline int64_t days_from_civil(int year, int month, int day) {
    year -= month <= 2;
    const int era = (year >= 0 ? year : year - 399) / 400;
    const unsigned of_era = static_cast<unsigned>(year - era * 400);
    const unsigned of_year = (153u * static_cast<unsigned>(month + (month > 2 ? -3 : 9)) + 2) / 5
        + static_cast<unsigned>(day) - 1;
    const unsigned days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return int64_t{era} * 146'097 + static_cast<int64_t>(days) - 719'468;
}

inline char *put_date(char *p, int year, int month, int day) {
    p = put_pair(p, static_cast<unsigned>(year / 100));
    p = put_pair(p, static_cast<unsigned>(year % 100));
    *p++ = '-';
    p = put_pair(p, static_cast<unsigned>(month));
    *p++ = '-';
    return put_pair(p, static_cast<unsigned>(day));
}

inline char *put_micros(char *p, int micros) {
    *p++ = '.';
    p = put_pair(p, static_cast<unsigned>(micros / 10'000));
    p = put_pair(p, static_cast<unsigned>(micros / 100 % 100));
    return put_pair(p, static_cast<unsigned>(micros % 100));
}

inline char *put_time(char *p, int hour, int minute, int second, int micros) {
    p = put_pair(p, static_cast<unsigned>(hour));
    *p++ = ':';
    p = put_pair(p, static_cast<unsigned>(minute));
    *p++ = ':';
    p = put_pair(p, static_cast<unsigned>(second));
    return micros ? put_micros(p, micros) : p;
}

// A span that is not negative, in ISO 8601-1 §5.5.2.
inline char *put_duration(char *p, int days, int seconds, int micros) {
    const int hours = seconds / 3600, minutes = seconds / 60 % 60, rest = seconds % 60;
    *p++ = 'P';
    if (days) {
        p = put_integer(p, days);
        *p++ = 'D';
    }
    if (!seconds && !micros && days) return p;
    *p++ = 'T';
    if (hours) {
        p = put_integer(p, hours);
        *p++ = 'H';
    }
    if (minutes) {
        p = put_integer(p, minutes);
        *p++ = 'M';
    }
    if (rest || micros || !(hours || minutes || days)) {
        p = put_integer(p, rest);
        if (micros) {
            p = put_micros(p, micros);
            while (p[-1] == '0') --p;
        }
        *p++ = 'S';
    }
    return p;
}
