// Buffer: the bytes of a batch, in memory that is kept for the next one.
//
// A fresh allocation for each batch would cost a page fault for every 4 KiB of it.

#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

// Bytes that are appended again and again: short ones by a copy of a constant size.
class Literal {
public:
    static constexpr size_t SHORT = 32;

    void assign(const char *data, size_t size) {
        all_.assign(data, size);
        std::memset(head_, 0, SHORT);
        std::memcpy(head_, data, std::min(size, SHORT));
    }
    size_t size() const { return all_.size(); }
    const char *head() const { return head_; }
    std::string_view all() const { return all_; }

private:
    std::string all_;
    char head_[SHORT] = {};
};

class Buffer {
public:
    char *at = nullptr;  // where the next byte goes

    Buffer() = default;
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer() { std::free(base_); }

    void swap(Buffer &other) noexcept {
        std::swap(at, other.at);
        std::swap(base_, other.base_);
        std::swap(end_, other.end_);
    }

    const char *data() const { return base_; }
    size_t size() const { return static_cast<size_t>(at - base_); }

    // Make room for `count` more bytes; throws std::bad_alloc.
    void reserve(size_t count) {
        if (static_cast<size_t>(end_ - at) < count + SLACK) grow(count + SLACK);
    }

    // Append what there is room for.
    void put(std::string_view bytes) {
        std::memcpy(at, bytes.data(), bytes.size());
        at += bytes.size();
    }
    void put(const Literal &literal) {
        if (literal.size() > Literal::SHORT) return put(literal.all());
        std::memcpy(at, literal.head(), Literal::SHORT);  // more than it has, and there is room
        at += literal.size();
    }

    // Append anything.
    void append(const Literal &literal) {
        reserve(literal.size());
        put(literal);
    }
    void append(std::string_view bytes) {
        reserve(bytes.size());
        put(bytes);
    }

    void truncate(size_t size) { at = base_ + size; }

    // Forget the bytes, and give back what a batch of ordinary size does not need.
    void clear() {
        if (static_cast<size_t>(end_ - base_) > MOST_KEPT) {
            std::free(base_);
            base_ = end_ = nullptr;
        }
        at = base_;
    }

private:
    static constexpr size_t SLACK = Literal::SHORT;
    static constexpr size_t LEAST = 65'536;
    static constexpr size_t MOST_KEPT = 4'194'304;

    char *base_ = nullptr;
    char *end_ = nullptr;

    void grow(size_t count) {
        const size_t used = size(), held = static_cast<size_t>(end_ - base_);
        const size_t wanted = std::max(std::max(held + held / 2, used + count), LEAST);
        char *moved = static_cast<char *>(std::realloc(base_, wanted));
        if (moved == nullptr) throw std::bad_alloc();
        base_ = moved;
        at = moved + used;
        end_ = moved + wanted;
    }
};
