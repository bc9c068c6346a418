#define PY_SSIZE_T_CLEAN
#include "arrow.hpp"

#include "numbers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

constexpr int DEEPEST = 32;  // types in each other
// Bounds far beyond any table; with them no place in a buffer is beyond 64 bits.
constexpr int64_t MOST_ITEMS = int64_t{1} << 40;
constexpr int64_t MOST_BYTES = int64_t{1} << 20;  // of a value of fixed length
constexpr int64_t ITEM = 8;                       // bytes that an item of a list counts for
constexpr int64_t DAY_SECONDS = 86'400;

int64_t unit_of(char letter) {
    switch (letter) {
    case 's': return 1;
    case 'm': return 1'000;
    case 'u': return 1'000'000;
    case 'n': return 1'000'000'000;
    default: return 0;
    }
}

void store(ArrowType &type, Stored stored, int64_t width, Lengths lengths = Lengths::FIXED) {
    type.stored = stored;
    type.width = width;
    type.lengths = lengths;
}

// Read the number at the start of a text; -1 if there is none.
int64_t number_at(const char *text, const char **end) {
    int64_t number = 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && number < MOST_ITEMS) number = number * 10 + (*at++ - '0');
    *end = at;
    return at == text ? -1 : number;
}

bool read_decimal(const char *format, ArrowType &type) {  // d:precision,scale[,bits]
    const char *at = nullptr;
    if (number_at(format + 2, &at) < 0 || *at != ',') return false;
    const bool negative = at[1] == '-';
    const int64_t scale = number_at(at + 1 + negative, &at);
    const int64_t bits = *at == ',' ? number_at(at + 1, &at) : 128;
    if (scale < 0 || scale > 1000 || *at || (bits != 32 && bits != 64 && bits != 128 && bits != 256)) {
        return false;
    }
    type.scale = static_cast<int>(negative ? -scale : scale);
    store(type, Stored::DECIMAL, bits / 8);
    return true;
}

bool read_temporal(const char *format, ArrowType &type) {
    const char kind = format[1], unit = kind == '\0' ? '\0' : format[2];
    type.unit = unit_of(unit);
    switch (kind) {
    case 'd':
        store(type, Stored::DATE, unit == 'D' ? 4 : 8);
        return (unit == 'D' || unit == 'm') && !format[3];
    case 't':
        store(type, Stored::TIME, unit == 's' || unit == 'm' ? 4 : 8);
        return type.unit && !format[3];
    case 'D':
        store(type, Stored::DURATION, 8);
        return type.unit && !format[3];
    case 's':
        store(type, Stored::TIMESTAMP, 8);
        if (!type.unit || format[3] != ':') return false;
        type.zone_name = format + 4;
        return true;
    case 'i':
        store(type, Stored::INTERVAL, 16);
        return unit == 'n' && !format[3];
    default: return false;
    }
}

bool read_nested(const char *format, ArrowType &type) {
    const std::string_view rest(format + 1);
    const char *end = nullptr;
    if (rest == "l") store(type, Stored::LIST, 0, Lengths::OFFSETS_32);
    else if (rest == "L") store(type, Stored::LIST, 0, Lengths::OFFSETS_64);
    else if (rest == "vl") store(type, Stored::LIST_VIEW, 0, Lengths::OFFSETS_32);
    else if (rest == "vL") store(type, Stored::LIST_VIEW, 0, Lengths::OFFSETS_64);
    else if (rest == "s") store(type, Stored::STRUCT, 0);
    else if (rest == "m") store(type, Stored::MAP, 0, Lengths::OFFSETS_32);
    else if (rest == "r") store(type, Stored::RUNS, 0);
    else if (rest.substr(0, 2) == "w:") {
        store(type, Stored::LIST, number_at(format + 3, &end));
        return type.width >= 0 && type.width <= MOST_BYTES && !*end;
    } else {
        return false;
    }
    return true;
}

bool read_plain(const char *format, ArrowType &type) {
    const std::string_view given(format);
    const char *end = nullptr;
    if (given.substr(0, 2) == "w:") {
        store(type, Stored::BYTES, number_at(format + 2, &end));
        return type.width >= 0 && type.width <= MOST_BYTES && !*end;
    }
    if (given == "vu") return store(type, Stored::TEXT, 0, Lengths::VIEWS), true;
    if (given == "vz") return store(type, Stored::BYTES, 0, Lengths::VIEWS), true;
    if (given.size() != 1) return false;
    switch (given[0]) {
    case 'n': store(type, Stored::NOTHING, 0); break;
    case 'b': store(type, Stored::BOOL, 0); break;
    case 'c': store(type, Stored::SIGNED, 1); break;
    case 's': store(type, Stored::SIGNED, 2); break;
    case 'i': store(type, Stored::SIGNED, 4); break;
    case 'l': store(type, Stored::SIGNED, 8); break;
    case 'C': store(type, Stored::UNSIGNED, 1); break;
    case 'S': store(type, Stored::UNSIGNED, 2); break;
    case 'I': store(type, Stored::UNSIGNED, 4); break;
    case 'L': store(type, Stored::UNSIGNED, 8); break;
    case 'e': store(type, Stored::FLOAT, 2); break;
    case 'f': store(type, Stored::FLOAT, 4); break;
    case 'g': store(type, Stored::FLOAT, 8); break;
    case 'u': store(type, Stored::TEXT, 0, Lengths::OFFSETS_32); break;
    case 'U': store(type, Stored::TEXT, 0, Lengths::OFFSETS_64); break;
    case 'z': store(type, Stored::BYTES, 0, Lengths::OFFSETS_32); break;
    case 'Z': store(type, Stored::BYTES, 0, Lengths::OFFSETS_64); break;
    default: return false;
    }
    type.is_unsigned = type.stored == Stored::UNSIGNED;
    return true;
}

bool read_format(const char *format, ArrowType &type) {
    switch (*format) {
    case 'd': return format[1] == ':' && read_decimal(format, type);
    case 't': return read_temporal(format, type);
    case '+': return read_nested(format, type);
    default: return read_plain(format, type);
    }
}

// The name of an extension type in the metadata of a field; empty if it is a plain type.
std::string extension_of(const char *metadata) {
    if (metadata == nullptr) return {};
    const auto next = [&metadata] {
        int32_t size;
        std::memcpy(&size, metadata, 4);
        metadata += 4;
        return std::max(size, 0);
    };
    for (int32_t count = next(); count > 0; --count) {
        const int32_t key_size = next();
        const std::string_view key(metadata, static_cast<size_t>(key_size));
        metadata += key_size;
        const int32_t size = next();
        const std::string value(metadata, static_cast<size_t>(size));
        metadata += size;
        if (key == "ARROW:extension:name") return value;
    }
    return {};
}

// How many children a type has; -1: any number.
int64_t children_of(Stored stored) {
    switch (stored) {
    case Stored::STRUCT: return -1;
    case Stored::LIST: case Stored::LIST_VIEW: case Stored::MAP: return 1;
    case Stored::RUNS: return 2;
    default: return 0;
    }
}

class TypeReader {
public:
    TypeReader(PyObject *zone_of, std::string &unknown) : zone_of_(zone_of), unknown_(unknown) {}

    std::unique_ptr<ArrowType> read(const ArrowSchema &schema, int depth, bool nested) {
        const char *format = schema.format == nullptr ? "" : schema.format;
        auto type = std::make_unique<ArrowType>();
        type->name = schema.name == nullptr ? "" : schema.name;
        const std::string extension = extension_of(schema.metadata);
        if (!extension.empty() && extension != "arrow.json") {
            return refuse("extension<" + extension + ">");
        }
        type->format = format;
        if (depth > DEEPEST || !read_format(format, *type)) return refuse(format);
        const bool fine = type->unit == 1'000'000'000;
        if (nested && fine) return refuse(format);  // a loss could not be counted
        if (schema.dictionary != nullptr) return dictionary(schema, std::move(type), depth);
        if (!type->zone_name.empty() && !read_zone(*type)) return nullptr;
        if (!read_children(schema, *type, depth, nested)) return nullptr;
        return type;
    }

private:
    PyObject *zone_of_;
    std::string &unknown_;

    std::unique_ptr<ArrowType> refuse(std::string what) {
        unknown_ = std::move(what);
        return nullptr;
    }

    std::unique_ptr<ArrowType> dictionary(const ArrowSchema &schema,
        std::unique_ptr<ArrowType> type, int depth) {
        if (type->stored != Stored::SIGNED && type->stored != Stored::UNSIGNED) {
            return refuse("a dictionary of " + type->format);
        }
        auto values = read(*schema.dictionary, depth + 1, true);
        if (!values) return nullptr;
        type->stored = Stored::DICTIONARY;
        type->children.push_back(std::move(values));
        return type;
    }

    bool read_zone(ArrowType &type) {
        type.zone = PyObject_CallFunction(zone_of_, "s", type.zone_name.c_str());
        if (type.zone == nullptr) return false;
        if (type.zone == Py_None) return refuse(type.format) != nullptr;
        return true;
    }

    bool read_children(const ArrowSchema &schema, ArrowType &type, int depth, bool nested) {
        const int64_t expected = children_of(type.stored);
        if (schema.n_children < 0 || (expected >= 0 && schema.n_children != expected)
            || (schema.n_children > 0 && schema.children == nullptr)) {
            return refuse(type.format + " with other children") != nullptr;
        }
        for (int64_t at = 0; at < schema.n_children; ++at) {
            const ArrowSchema *child = schema.children[at];
            if (child == nullptr) return refuse(type.format + " without a child") != nullptr;
            auto read_child = read(*child, depth + 1, nested || depth > 0);
            if (!read_child) return false;
            type.children.push_back(std::move(read_child));
        }
        return type.stored == Stored::STRUCT && depth > 0 ? name_fields(type) : check(type);
    }

    // Fields of one name could not be told from each other.
    bool name_fields(ArrowType &type) {
        std::vector<std::string> names;
        for (auto &child : type.children) {
            child->key = PyUnicode_FromStringAndSize(child->name.data(),
                static_cast<Py_ssize_t>(child->name.size()));
            if (child->key == nullptr) return false;
            names.push_back(child->name);
        }
        std::sort(names.begin(), names.end());
        const bool twice = std::adjacent_find(names.begin(), names.end()) != names.end();
        return !twice || refuse(type.format) != nullptr;
    }

    bool check(ArrowType &type) {
        if (type.stored == Stored::MAP) {
            const ArrowType &entries = *type.children[0];
            const bool pairs = entries.stored == Stored::STRUCT && entries.children.size() == 2;
            return pairs || refuse("a map without pairs") != nullptr;
        }
        if (type.stored == Stored::RUNS) {
            const ArrowType &ends = *type.children[0];
            const bool known = ends.stored == Stored::SIGNED && ends.width >= 2;
            return known || refuse("run ends of " + ends.format) != nullptr;
        }
        return true;
    }
};

// Arrays ---------------------------------------------------------------------------------------

// How many buffers an array has; of views it is the least.
int64_t buffers_of(const ArrowType &type) {
    switch (type.stored) {
    case Stored::NOTHING: case Stored::RUNS: return 0;
    case Stored::STRUCT: return 1;
    case Stored::LIST: return type.lengths == Lengths::FIXED ? 1 : 2;
    case Stored::LIST_VIEW: return 3;
    case Stored::TEXT: case Stored::BYTES: return type.lengths == Lengths::FIXED ? 2 : 3;
    default: return 2;
    }
}

bool has_views(const ArrowType &type) {
    return type.lengths == Lengths::VIEWS
        && (type.stored == Stored::TEXT || type.stored == Stored::BYTES);
}

std::string wrong_with_buffers(const ArrowType &type, const ArrowArray &array) {
    const int64_t expected = buffers_of(type);
    if (array.n_buffers != expected && !(has_views(type) && array.n_buffers > expected)) {
        return "it has " + std::to_string(array.n_buffers) + " buffers in place of "
            + std::to_string(expected);
    }
    if (expected == 0) return {};
    if (array.buffers == nullptr) return "it has no buffers";
    if (array.buffers[0] == nullptr && array.null_count > 0) return "it does not tell its nulls";
    if (array.length == 0 || array.null_count == array.length) return {};
    // The last one, of texts, may be absent if all are empty.
    const bool list_view = type.stored == Stored::LIST_VIEW;
    for (int64_t at = 1; at < (list_view ? 3 : std::min<int64_t>(expected, 2)); ++at) {
        if (array.buffers[at] == nullptr && !(type.stored == Stored::BYTES && type.width == 0
                && type.lengths == Lengths::FIXED)) {
            return "its buffer " + std::to_string(at) + " is absent";
        }
    }
    return {};
}

int64_t least_of_child(const ArrowType &type, const ArrowArray &array) {
    if (type.stored == Stored::STRUCT) return array.offset + array.length;
    if (type.stored == Stored::LIST && type.lengths == Lengths::FIXED) {
        return (array.offset + array.length) * type.width;
    }
    return 0;
}

std::string wrong_with_children(const ArrowType &type, const ArrowArray &array) {
    if (type.stored == Stored::DICTIONARY) {
        if (array.dictionary == nullptr) return "it has no dictionary";
        return wrong_with(*type.children[0], *array.dictionary);
    }
    const auto count = static_cast<int64_t>(type.children.size());
    if (array.n_children != count || (count && array.children == nullptr)) {
        return "it has " + std::to_string(array.n_children) + " children in place of "
            + std::to_string(count);
    }
    const int64_t least = least_of_child(type, array);
    for (int64_t at = 0; at < count; ++at) {
        const ArrowArray *child = array.children[at];
        if (child == nullptr) return "a child is absent";
        std::string wrong = wrong_with(*type.children[static_cast<size_t>(at)], *child);
        if (wrong.empty() && child->length < least) wrong = "it is shorter than what it belongs to";
        if (!wrong.empty()) return type.children[static_cast<size_t>(at)]->name + ": " + wrong;
    }
    if (type.stored == Stored::RUNS && array.children[0]->null_count > 0) {
        return "a run end is null";
    }
    return {};
}

// Go from a run-end encoded array to the value of its run.
bool enter_run(Place &place) {
    const Place ends = place.child(0, 0);
    int64_t low = 0, high = ends.array->length;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (read_integer({ends.type, ends.array, ends.at + middle}) > place.at) high = middle;
        else low = middle + 1;
    }
    if (low >= ends.array->length || low >= place.array->children[1]->length) return false;
    place = place.child(1, low);
    return true;
}

bool enter_dictionary(Place &place) {
    const int64_t index = read_integer(place);
    const ArrowArray *values = place.array->dictionary;
    if (index < 0 || index >= values->length) return false;
    place = {place.type->children[0].get(), values, values->offset + index};
    return true;
}

bool read_view(const Place &place, std::string_view &bytes) {
    const ArrowArray &array = *place.array;
    const auto *view = static_cast<const char *>(array.buffers[1]) + 16 * place.at;
    int32_t parts[4];  // the length, four bytes of the text, the buffer, the place in it
    std::memcpy(parts, view, 16);
    if (parts[0] < 0) return false;
    const auto size = static_cast<size_t>(parts[0]);
    if (size <= 12) {
        bytes = {view + 4, size};
        return true;
    }
    const int64_t count = array.n_buffers - 3;  // of texts; their sizes are the last buffer
    if (parts[2] < 0 || parts[2] >= count || parts[3] < 0) return false;
    if (array.buffers[array.n_buffers - 1] == nullptr) return false;
    const auto held = place.load<int64_t>(array.n_buffers - 1, parts[2]);
    const auto *buffer = static_cast<const char *>(array.buffers[2 + parts[2]]);
    if (buffer == nullptr || int64_t{parts[3]} + parts[0] > held) return false;
    bytes = {buffer + parts[3], size};
    return true;
}

template <typename T>
bool read_offsets(const Place &place, int64_t &begin, int64_t &end) {
    const int64_t last = place.array->offset + place.array->length;
    begin = place.load<T>(1, place.at);
    end = place.load<T>(1, place.at + 1);
    return begin >= 0 && begin <= end && end <= int64_t{place.load<T>(1, last)};
}

bool read_offsets_at(const Place &place, int64_t &begin, int64_t &end) {
    return place.type->lengths == Lengths::OFFSETS_64 ? read_offsets<int64_t>(place, begin, end)
                                                      : read_offsets<int32_t>(place, begin, end);
}

int64_t weigh_one(const Place &place) {
    std::string_view bytes;
    int64_t first = 0, count = 0;
    if (has_views(*place.type)) {
        return read_bytes_at(place, bytes) ? static_cast<int64_t>(bytes.size()) : -1;
    }
    if (place.type->stored != Stored::LIST_VIEW) return weigh(place, 1);
    if (!read_items_at(place, first, count)) return -1;
    const int64_t weight = weigh(place.child(0, first), count);
    return weight < 0 ? -1 : weight + ITEM * count;
}

int64_t weigh_each(const Place &first, int64_t count) {
    int64_t sum = 0;
    for (int64_t at = 0; at < count; ++at) {
        Place place{first.type, first.array, first.at + at};
        const Found found = find(place);
        if (found == Found::WRONG) return -1;
        const int64_t weight = found == Found::EMPTY ? 0 : weigh_one(place);
        if (weight < 0) return -1;
        sum += weight;
    }
    return sum;
}

int64_t weigh_list(const Place &first, int64_t count) {
    int64_t begin = 0, end = 0, unused = 0;
    const Place last{first.type, first.array, first.at + count - 1};
    if (first.type->lengths == Lengths::FIXED) {
        begin = first.at * first.type->width;
        end = begin + count * first.type->width;
    } else if (!read_offsets_at(first, begin, unused) || !read_offsets_at(last, unused, end)
        || begin > end || end > first.array->children[0]->length) {
        return -1;
    }
    const int64_t inner = weigh(first.child(0, begin), end - begin);
    return inner < 0 ? -1 : inner + ITEM * (end - begin);
}

double of_half(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size;
    if (exponent == 0) size = std::ldexp(fraction, -24);
    else if (exponent < 31) size = std::ldexp(fraction + 1024, exponent - 25);
    else size = fraction ? std::numeric_limits<double>::quiet_NaN()
                         : std::numeric_limits<double>::infinity();
    return bits >> 15 ? -size : size;
}

}  // namespace

std::unique_ptr<ArrowType> read_type(const ArrowSchema &schema, PyObject *zone_of,
    std::string &unknown) {
    return TypeReader(zone_of, unknown).read(schema, 0, false);
}

std::string wrong_with(const ArrowType &type, const ArrowArray &array) {
    if (array.release == nullptr) return "it was released";
    if (array.length < 0 || array.offset < 0 || array.length > MOST_ITEMS
        || array.offset > MOST_ITEMS) {
        return "its length or its offset is wrong";
    }
    if (array.null_count < -1 || array.null_count > array.length) return "its null_count is wrong";
    std::string wrong = wrong_with_buffers(type, array);
    return wrong.empty() ? wrong_with_children(type, array) : wrong;
}

Found follow(Place &place) {
    for (;;) {
        if (place.type->stored == Stored::NOTHING) return Found::EMPTY;
        if (place.type->stored == Stored::RUNS) {
            if (!enter_run(place)) return Found::WRONG;
            continue;
        }
        if (is_null(place)) return Found::EMPTY;
        if (place.type->stored != Stored::DICTIONARY) return Found::VALUE;
        if (!enter_dictionary(place)) return Found::WRONG;
    }
}

bool read_bytes_at(const Place &place, std::string_view &bytes) {
    const ArrowArray &array = *place.array;
    if (place.type->lengths == Lengths::VIEWS) return read_view(place, bytes);
    int64_t begin = place.at * place.type->width, end = begin + place.type->width;
    const bool fixed = place.type->lengths == Lengths::FIXED;
    if (!fixed && !read_offsets_at(place, begin, end)) return false;
    bytes = {};
    if (begin == end) return true;
    const auto *data = static_cast<const char *>(array.buffers[fixed ? 1 : 2]);
    if (data == nullptr) return false;
    bytes = {data + begin, static_cast<size_t>(end - begin)};
    return true;
}

bool read_items_at(const Place &place, int64_t &first, int64_t &count) {
    const ArrowType &type = *place.type;
    int64_t end = 0;
    if (type.stored == Stored::LIST_VIEW) {
        const bool large = type.lengths == Lengths::OFFSETS_64;
        first = large ? place.load<int64_t>(1, place.at) : place.load<int32_t>(1, place.at);
        count = large ? place.load<int64_t>(2, place.at) : place.load<int32_t>(2, place.at);
    } else if (type.lengths == Lengths::FIXED) {
        first = place.at * type.width;
        count = type.width;
    } else {
        if (!read_offsets_at(place, first, end)) return false;
        count = end - first;
    }
    const int64_t held = place.array->children[0]->length;
    return first >= 0 && count >= 0 && first <= held && count <= held - first;
}

double read_float(const Place &place) {
    switch (place.type->width) {
    case 2: return of_half(place.load<uint16_t>(1, place.at));
    case 4: return place.load<float>(1, place.at);
    default: return place.load<double>(1, place.at);
    }
}

std::string read_digits(const Place &place, bool &negative) {
    uint32_t parts[8];
    const int count = static_cast<int>(place.type->width / 4);
    const auto *stored = static_cast<const char *>(place.array->buffers[1]);
    std::memcpy(parts, stored + place.at * place.type->width, static_cast<size_t>(4 * count));
    negative = parts[count - 1] >> 31;
    uint64_t carry = 1;
    for (int at = 0; negative && at < count; ++at) {  // two's complement
        carry += ~parts[at];
        parts[at] = static_cast<uint32_t>(carry);
        carry >>= 32;
    }
    char digits[80];
    int left = 80, top = count;
    for (;;) {
        while (top > 2 && parts[top - 1] == 0) --top;
        if (top <= 2) break;
        uint64_t rest = 0;
        for (int at = top - 1; at >= 0; --at) {  // nine digits at a time
            rest = rest << 32 | parts[at];
            parts[at] = static_cast<uint32_t>(rest / 1'000'000'000);
            rest %= 1'000'000'000;
        }
        for (int digit = 0; digit < 9; ++digit, rest /= 10) {
            digits[--left] = static_cast<char>('0' + rest % 10);
        }
    }
    const uint64_t high = count > 1 ? parts[1] : 0;
    char first[20];
    const auto length = put_unsigned(first, high << 32 | parts[0]) - first;
    return std::string(first, static_cast<size_t>(length)).append(digits + left, static_cast<size_t>(80 - left));
}

int64_t weigh(const Place &first, int64_t count) {
    if (count <= 0) return 0;
    int64_t begin = 0, end = 0, unused = 0;
    const Place last{first.type, first.array, first.at + count - 1};
    if (first.array->null_count == first.array->length) return 0;
    switch (first.type->stored) {
    case Stored::TEXT: case Stored::BYTES:
        if (first.type->lengths == Lengths::FIXED) return count * first.type->width;
        if (first.type->lengths == Lengths::VIEWS) return weigh_each(first, count);
        if (!read_offsets_at(first, begin, unused) || !read_offsets_at(last, unused, end)) return -1;
        return end - begin;
    case Stored::DICTIONARY: case Stored::RUNS: case Stored::LIST_VIEW:
        return weigh_each(first, count);
    case Stored::LIST: case Stored::MAP: return weigh_list(first, count);
    case Stored::STRUCT: {
        int64_t sum = 0;
        for (size_t at = 0; at < first.type->children.size(); ++at) {
            const int64_t weight = weigh(first.child(at, first.at), count);
            if (weight < 0) return -1;
            sum += weight + ITEM * count;
        }
        return sum;
    }
    default: return 0;
    }
}

Span split(int64_t value, int64_t unit) {
    const int64_t day = DAY_SECONDS * unit;
    int64_t days = value / day, rest = value % day;
    if (rest < 0) {
        rest += day;
        --days;
    }
    const int64_t parts = rest % unit;
    const bool fine = unit > 1'000'000;
    const int64_t micros = fine ? parts / 1000 : parts * (1'000'000 / unit);
    return {days, rest / unit, micros, fine && parts % 1000 != 0};
}

Day day_of(int64_t days) {
    days += 719'468;
    const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const auto of_era = static_cast<unsigned>(days - era * 146'097);
    const unsigned year = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
    const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    const unsigned shifted = (5 * of_year + 2) / 153;  // months since March
    const int month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
    return {static_cast<int>(year) + static_cast<int>(era) * 400 + (month <= 2), month,
        static_cast<int>(of_year - (153 * shifted + 2) / 5 + 1)};
}

bool read_day(const Place &place, Day &day) {
    int64_t days = read_integer(place);
    if (place.type->width == 8) days = split(days, 1'000).days;  // of milliseconds
    if (days < FIRST_DAY || days > LAST_DAY) return false;
    day = day_of(days);
    return true;
}
