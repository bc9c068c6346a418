// Writes text: escapes it by the table of a format, and finds what has to be left to Python.

#pragma once

#include <Python.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What becomes of a byte of text.  Lower values but PLAIN are places in `TextRules::replacements`.
enum Action : uint8_t {
    PLAIN = 0,
    QUOTED = 252,      // the cell is put in quotes
    UNDERSCORE = 253,  // may begin what looks like an escape of XLSX, `_x0041_`
    ASKED = 254,       // Python writes the cell
};

// What a byte means to the guard against formulas; see `FormulaGuard` in Python.
enum Guarded : uint8_t {
    SIGN = 1,     // starts a formula at the start of a cell
    END = 2,      // may end a cell for a program that splits the file at another delimiter
    REMOVED = 4,  // may be between that and a sign
    START = 8,    // may be the first byte of a text that starts like a formula
    CARE = 16,    // every text with a formula has such a byte
};

struct TextRules {
    std::array<uint8_t, 128> actions{};  // by ASCII character
    std::array<uint8_t, 128> guarded{};
    std::array<bool, 128> plain{};       // whether both tables say nothing
    std::vector<uint32_t> starts;        // beyond ASCII, sorted: what START is for bytes
    std::vector<std::string> replacements;  // the first is unused
    size_t longest = 1;                     // bytes of a replacement
    bool guards = false;
    bool quotes = false;  // whether cells that need it are put in quotes, and quotes doubled
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

    // Whether it was written at `p`, where there is room for the longest form of each character
    // and for two quotes; if not, Python has to write it.
    bool write(char *&p) {
        if (rules_.guards && begin_ < end_ && !pass_first()) return false;
        char *const start = p;
        for (const C *c = begin_;; ++c) {
            const C *const run = c;
            while (c < end_ && *c < 0x80 && rules_.plain[*c]) *p++ = static_cast<char>(*c++);
            if (c == end_) break;
            if (c != run) after_end_ = false;
            if (*c >= 0x80) {
                if (!put_wide(p, *c)) return false;
                continue;
            }
            if (rules_.guards && !pass(rules_.guarded[*c])) return false;
            if (!put_special(p, c, rules_.actions[*c])) return false;
        }
        if (seen_care_ && starts_) return false;
        if (needs_quotes_) quote(start, p);
        return true;
    }

private:
    const TextRules &rules_;
    const C *begin_, *end_;
    bool needs_quotes_ = false;
    bool after_end_ = false;  // whether only removed bytes came since the end of a cell
    bool seen_care_ = false;
    bool starts_ = false;

    // Note whether the text starts like a formula; false for a line feed, which Python looks at.
    bool pass_first() {
        const uint32_t first = *begin_;
        starts_ = first < 0x80
            ? (rules_.guarded[first] & START) != 0
            : std::binary_search(rules_.starts.begin(), rules_.starts.end(), first);
        return first != '\n';
    }

    // Whether a byte of this meaning starts no formula inside of the text.
    bool pass(uint8_t meaning) {
        seen_care_ |= (meaning & CARE) != 0;
        if ((meaning & SIGN) && after_end_) return false;
        after_end_ = (meaning & END) || (after_end_ && (meaning & REMOVED));
        return true;
    }

    bool put_special(char *&p, const C *c, uint8_t action) {
        const auto byte = static_cast<char>(*c);
        if (action != PLAIN && action < QUOTED) {
            const std::string &replacement = rules_.replacements[action];
            std::memcpy(p, replacement.data(), replacement.size());
            p += replacement.size();
            return true;
        }
        if (action == ASKED || (action == UNDERSCORE && looks_escaped(c, end_))) return false;
        if (action == QUOTED) {
            needs_quotes_ = true;
            if (byte == '"') *p++ = byte;
        }
        *p++ = byte;
        return true;
    }

    bool put_wide(char *&p, uint32_t c) {
        if (c < 0x800) {
            *p++ = static_cast<char>(0xC0 | c >> 6);
        } else {
            if (c < 0x1'0000) {
                // Lone surrogates; U+FFFE and U+FFFF, which XML forbids.
                if ((c >= 0xD800 && c < 0xE000) || c >= 0xFFFE) return false;
                if (rules_.guards && is_full_width_sign(c)) return false;
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

    static bool is_full_width_sign(uint32_t c) {
        return c == 0xFF1D || c == 0xFF20 || c == 0xFF0B || c == 0xFF0D;
    }

    static void quote(char *start, char *&p) {
        std::memmove(start + 1, start, static_cast<size_t>(p - start));
        *start = '"';
        p[1] = '"';
        p += 2;
    }
};
