// Writes text: escapes it by the table of a format, and finds what has to be left to Python.

#pragma once

#include "guard.hpp"

#include <Python.h>

#include <array>
#include <cstring>
#include <cstdint>
#include <string>
#include <vector>

// What becomes of a byte of text.  Lower values but PLAIN are places in `TextRules::replacements`.
enum Action : uint8_t {
    PLAIN = 0,
    FORBIDDEN = 249,   // replaced by U+FFFD, and counted
    RETURN = 250,      // a line feed, unless one follows, and counted
    BLANK = 251,       // lost at an edge, and after another: then Python writes the cell
    QUOTED = 252,      // the cell is put in quotes
    UNDERSCORE = 253,  // may begin what looks like an escape of XLSX, `_x0041_`
    ASKED = 254,       // Python writes the cell
};

// What is counted of the values that are not written as they came, in the order of `_COUNTED` in
// Python.
enum Count { FORMULA_TEXT, FORBIDDEN_TEXT, NEWLINE, NON_FINITE, BIG_INT, EARLY_DATE, COUNTS };
using Counts = std::array<long long, COUNTS>;

struct TextRules {
    std::array<uint8_t, 128> actions{};  // by ASCII character
    std::array<uint8_t, 256> special{};  // 0 for a character that is copied unseen
    GuardRules guard;
    std::vector<std::string> replacements;  // the first is unused
    size_t longest = 1;                     // bytes of a replacement
    bool guards = false;
    bool edges = false;   // whether blanks at the edges of a text need other markup
    Py_ssize_t most = 0;  // characters that a text may have here
    bool empty_asked = false;  // whether Python writes an empty text
    bool empty_blank = false;  // whether an empty text is an empty cell
};

inline bool is_edge(Py_UCS4 c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline bool is_hexadecimal(Py_UCS4 c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

// Whether an underscore begins what looks like an escape (ECMA-376 Part 1 §22.9.2.19).
template <typename C>
bool looks_escaped(const C *c, const C *end) {
    return end - c >= 7 && c[1] == 'x' && is_hexadecimal(c[2]) && is_hexadecimal(c[3])
        && is_hexadecimal(c[4]) && is_hexadecimal(c[5]) && c[6] == '_';
}

// Text as UTF-8 bytes, escaped; reads characters of any width.
template <typename C>
class TextWriter {
public:
    TextWriter(const TextRules &rules, const C *text, Py_ssize_t length)
        : rules_(rules), begin_(text), end_(text + length) {}

    // Whether it was written at `p`, where there is room for the longest form of each character,
    // for two quotes and an apostrophe; if not, Python has to write it.
    bool write(char *&p) {
        char *const start = p;
        if (rules_.guards && guard_.starts() && !put_apostrophe(p)) return false;
        for (const C *c = begin_;;) {
            copy_plain(p, c);
            if (c == stop_) {
                if (c == end_) break;
                if (!put_apostrophe(p)) return false;
                stop_ = end_;
                continue;
            }
            if (*c < 0x80 && rules_.guards && (rules_.guard.ascii[*c] & END)) guard_after(c);
            if (!(*c < 0x80 ? put_special(p, c, rules_.actions[*c]) : put_wide(p, *c))) return false;
            ++c;
        }
        if (needs_quotes_) quote(start, p);
        return true;
    }

    // Count what was not written as it came.
    void count(Counts &counts) const {
        counts[FORMULA_TEXT] += has_apostrophe_;
        counts[FORBIDDEN_TEXT] += has_forbidden_;
        counts[NEWLINE] += has_return_;
    }

private:
    const TextRules &rules_;
    const C *begin_, *end_;
    const C *stop_ = end_;  // before which an apostrophe is put, or the end
    Guard<C> guard_{rules_.guard, begin_, end_};
    bool needs_quotes_ = false, has_apostrophe_ = false, has_forbidden_ = false, has_return_ = false;

    void guard_after(const C *c) {
        if (const C *sign = guard_.sign_after(c)) stop_ = sign;
    }

    bool put_apostrophe(char *&p) {
        has_apostrophe_ = true;
        *p++ = '\'';
        return rules_.guard.marks;
    }

    bool put_forbidden(char *&p) {
        has_forbidden_ = true;
        std::memcpy(p, "\xEF\xBF\xBD", 3);  // U+FFFD
        p += 3;
        return rules_.actions[0] == FORBIDDEN;
    }

    // Copy the characters up to the first one that is special, or is not ASCII.
    void copy_plain(char *&p, const C *&c) {
        const auto &special = rules_.special;
        if constexpr (sizeof(C) == 1) {
            for (; stop_ - c >= 8; p += 8, c += 8) {
                std::memcpy(p, c, 8);
                if (special[c[0]] | special[c[1]] | special[c[2]] | special[c[3]] | special[c[4]]
                    | special[c[5]] | special[c[6]] | special[c[7]]) {
                    for (; !special[*c]; ++p) ++c;
                    return;
                }
            }
        }
        while (c < stop_ && *c < 0x80 && !special[*c]) *p++ = static_cast<char>(*c++);
    }

    bool put_special(char *&p, const C *c, uint8_t action) {
        const auto byte = static_cast<char>(*c);
        if (action != PLAIN && action < FORBIDDEN) {
            const std::string &replacement = rules_.replacements[action];
            std::memcpy(p, replacement.data(), replacement.size());
            p += replacement.size();
            return true;
        }
        if (action == FORBIDDEN) return put_forbidden(p);
        if (action == RETURN) {
            has_return_ = true;
            return (c + 1 < end_ && c[1] == '\n') || put_line_feed(p);
        }
        if (action == ASKED || (action == UNDERSCORE && looks_escaped(c, end_))) return false;
        if (action == BLANK && (c == begin_ || c + 1 == end_ || c[1] == ' ')) return false;
        if (action == QUOTED) {
            needs_quotes_ = true;
            if (byte == '"') *p++ = byte;
        }
        *p++ = byte;
        return true;
    }

    bool put_line_feed(char *&p) {
        *p++ = '\n';
        return rules_.actions['\n'] == PLAIN;
    }

    bool put_wide(char *&p, uint32_t c) {
        if (c < 0x800) {
            *p++ = static_cast<char>(0xC0 | c >> 6);
        } else {
            if (c < 0x1'0000) {
                // Lone surrogates; U+FFFE and U+FFFF, which XML forbids.
                if ((c >= 0xD800 && c < 0xE000) || c >= 0xFFFE) return put_forbidden(p);
                *p++ = static_cast<char>(0xE0 | c >> 12);
            } else {
                *p++ = static_cast<char>(0xF0 | c >> 18);
                *p++ = static_cast<char>(0x80 | (c >> 12 & 0x3F));
                *p++ = static_cast<char>(0x80 | (c >> 6 & 0x3F));
                *p++ = static_cast<char>(0x80 | (c & 0x3F));
                return true;
            }
            *p++ = static_cast<char>(0x80 | (c >> 6 & 0x3F));
        }
        *p++ = static_cast<char>(0x80 | (c & 0x3F));
        return true;
    }

    static void quote(char *start, char *&p) {
        std::memmove(start + 1, start, static_cast<size_t>(p - start));
        *start = '"';
        p[1] = '"';
        p += 2;
    }
};
