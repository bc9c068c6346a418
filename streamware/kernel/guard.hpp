// Guard: finds where a spreadsheet would take text for a formula; `FormulaGuard` in Python says why.

#pragma once

#include <Python.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

// What a character means to the guard.
enum Guarded : uint8_t {
    STRONG = 1,     // a sign that starts a formula
    WEAK = 2,       // a sign that is in text for other reasons, too
    END = 4,        // may end a cell for a program that splits the file at another delimiter
    BLANK_BEFORE = 8,  // may be removed before a sign
    INVISIBLE = 16,    // of these, what is not visible
    QUOTE = 32,        // may be between an end and a sign
};

struct GuardRules {
    std::array<uint8_t, 128> ascii{};              // meanings
    std::vector<std::pair<uint32_t, uint8_t>> wide;  // meanings of others, sorted
    bool marks = false;  // whether signs get an apostrophe; if not, Python refuses the text

    uint8_t meaning(Py_UCS4 c) const {
        if (c < ascii.size()) return ascii[c];
        const auto found = std::lower_bound(wide.begin(), wide.end(), std::pair(c, uint8_t{0}));
        return found != wide.end() && found->first == c ? found->second : uint8_t{0};
    }
};

template <typename C>
class Guard {
public:
    Guard(const GuardRules &rules, const C *begin, const C *end)
        : rules_(rules), begin_(begin), end_(end), passed_(begin) {}

    // Whether the text itself starts a formula.
    bool starts() {
        const uint8_t first = begin_ < end_ ? rules_.meaning(*begin_) : uint8_t{0};
        if (!(first & (SIGN | BLANK_BEFORE))) return false;
        const C *c = begin_;
        while (c < end_ && (rules_.meaning(*c) & BLANK_BEFORE)) ++c;
        const bool breaks = *begin_ == '\t' || is_break(*begin_);
        if (!breaks && (c == end_ || !is_sign(*c) || is_number(c) || is_phone(c))) return false;
        passed_ = begin_ + 1;  // where an apostrophe is, no cell ends
        return true;
    }

    // The sign that starts a formula after `c`, which may end a cell; nullptr if none does.
    const C *sign_after(const C *c) {
        if (c < passed_) return nullptr;
        const C *last = c;  // the last end of a cell before the sign
        bool visible = false;
        for (passed_ = c + 1; passed_ < end_; ++passed_) {
            const uint8_t meaning = rules_.meaning(*passed_);
            if (!(meaning & (END | BLANK_BEFORE | QUOTE))) break;
            if (meaning & END) last = passed_;
            visible = !(meaning & END) && (visible || !(meaning & (INVISIBLE | QUOTE)));
        }
        if (passed_ == end_ || !is_sign(*passed_)) return nullptr;
        return starts_cell(passed_, *last, visible) ? passed_ : nullptr;
    }

private:
    static constexpr uint8_t SIGN = STRONG | WEAK;

    const GuardRules &rules_;
    const C *begin_, *end_;
    const C *passed_;  // before it, no end of a cell has a formula after it

    static bool is_break(Py_UCS4 c) { return c == '\r' || c == '\n'; }
    static bool is_digit(Py_UCS4 c) { return c >= '0' && c <= '9'; }
    static bool is_in(Py_UCS4 c, std::string_view set) {
        return c < 0x80 && set.find(static_cast<char>(c)) != set.npos;
    }
    // Other controls are replaced before Python looks.
    static bool is_space(Py_UCS4 c) { return (c >= ' ' || c == '\t') && Py_UNICODE_ISSPACE(c); }
    bool is_sign(Py_UCS4 c) const { return (rules_.meaning(c) & SIGN) != 0; }

    const C *skip_digits(const C *c) const {
        while (c < end_ && is_digit(*c)) ++c;
        return c;
    }

    // The end of a number (`_NUMBER` in Python), and the first comma in it if it has one; nullptr
    // if there is no number.
    const C *number(const C *c, const C *&comma) const {
        comma = nullptr;
        if (*c++ != '+' && c[-1] != '-') return nullptr;
        if (c < end_ && is_in(*c, ".,")) ++c;
        const C *at = skip_digits(c);
        if (at == c) return nullptr;
        while (end_ - at >= 2 && is_in(*at, ".,") && is_digit(at[1])) {
            if (*at == ',' && comma == nullptr) comma = at;
            at = skip_digits(at + 1);
        }
        if (at < end_ && is_in(*at, "eE")) {
            const C *const digits = at + 1 + (end_ - at >= 2 && is_in(at[1], "+-"));
            const C *const after = skip_digits(digits);
            if (after > digits) at = after;
        }
        return at < end_ && *at == '%' ? at + 1 : at;
    }

    // The end of a telephone number (`_PHONE` in Python); nullptr if there is none.
    const C *phone(const C *c) const {
        if (end_ - c < 2 || *c != '+' || !(is_digit(c[1]) || c[1] == '(')) return nullptr;
        for (c += 2; c < end_ && (is_digit(*c) || is_in(*c, " ().-"));) ++c;
        return c;
    }

    bool is_number(const C *c) const {
        const C *comma;
        return number(c, comma) == end_;
    }
    bool is_phone(const C *c) const { return phone(c) == end_; }

    // Whether a number or a telephone number is all up to the next delimiter (`_PIECE` in Python).
    bool is_piece(const C *c) const {
        const C *comma;
        const auto ends = [this](const C *at) {
            while (at != nullptr && at < end_ && is_in(*at, "\"]} ")) ++at;
            return at != nullptr && (at == end_ || is_in(*at, ",;\t|\r\n"));
        };
        return ends(number(c, comma)) || comma != nullptr || ends(phone(c));
    }

    bool starts_cell(const C *sign, Py_UCS4 end, bool visible) const {
        if (rules_.meaning(*sign) & STRONG) return true;
        if (visible || is_piece(sign)) return false;  // a, -b
        if (!is_break(end)) return true;
        // Items of a list, and rulers, start with a sign, too.
        const C *const next = sign + 1;
        const bool harmless
            = next == end_ || (rules_.meaning(*next) & WEAK) || is_break(*next) || is_space(*next);
        return !harmless || has_call(sign);
    }

    // Whether the line calls a function, or a program by DDE.
    bool has_call(const C *c) const {
        bool after_word = false;
        for (; c < end_ && !is_break(*c); ++c) {
            if (*c == '|' || (*c == '(' && after_word)) return true;
            after_word = *c == '_' || Py_UNICODE_ISALNUM(*c) || (after_word && is_space(*c));
        }
        return false;
    }
};
