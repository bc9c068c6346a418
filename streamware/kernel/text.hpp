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
    BLANK = 251,       // lost at an edge, and after another: then Python writes the cell
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
    std::array<uint8_t, 256> special{};  // 0 for a character that is copied unseen
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
        if (rules_.guards && begin_ < end_ && !pass_start()) return false;
        char *const start = p;
        for (const C *c = begin_;; ++c) {
            copy_plain(p, c);
            if (c == end_) break;
            if (*c >= 0x80) {
                if (!put_wide(p, *c)) return false;
                continue;
            }
            if (rules_.guards && (rules_.guarded[*c] & END) && !pass_end(c)) return false;
            if (!put_special(p, c, rules_.actions[*c])) return false;
        }
        if (needs_quotes_) quote(start, p);
        return true;
    }

private:
    const TextRules &rules_;
    const C *begin_, *end_;
    bool needs_quotes_ = false;
    const C *passed_ = begin_;  // before it, no end of a cell has a formula after it

    // Copy the characters up to the first one that is special, or is not ASCII.
    void copy_plain(char *&p, const C *&c) {
        const auto &special = rules_.special;
        if constexpr (sizeof(C) == 1) {
            for (; end_ - c >= 8; p += 8, c += 8) {
                std::memcpy(p, c, 8);
                if (special[c[0]] | special[c[1]] | special[c[2]] | special[c[3]] | special[c[4]]
                    | special[c[5]] | special[c[6]] | special[c[7]]) {
                    for (; !special[*c]; ++p) ++c;
                    return;
                }
            }
        }
        while (c < end_ && *c < 0x80 && !special[*c]) *p++ = static_cast<char>(*c++);
    }

    // Whether no formula starts with the text, nor a line feed, at which Python looks.
    bool pass_start() {
        const uint32_t first = *begin_;
        const bool starts = first < 0x80
            ? (rules_.guarded[first] & START) != 0
            : std::binary_search(rules_.starts.begin(), rules_.starts.end(), first);
        const auto needs_care = [this](C c) { return c < 0x80 && (rules_.guarded[c] & CARE); };
        return first != '\n' && !(starts && std::any_of(begin_, end_, needs_care));
    }

    // Whether no formula starts after `c`, which may end a cell.
    bool pass_end(const C *c) {
        if (c < passed_) return true;
        for (passed_ = c + 1; passed_ < end_; ++passed_) {
            const uint8_t meaning = *passed_ < 0x80 ? rules_.guarded[*passed_] : uint8_t{REMOVED};
            if (meaning & SIGN) return false;
            if (!(meaning & (REMOVED | END))) break;
        }
        return true;
    }

    bool put_special(char *&p, const C *c, uint8_t action) {
        const auto byte = static_cast<char>(*c);
        if (action != PLAIN && action < BLANK) {
            const std::string &replacement = rules_.replacements[action];
            std::memcpy(p, replacement.data(), replacement.size());
            p += replacement.size();
            return true;
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
