// The wire format of the Rust crate postcard, for the types that the protocol uses: variable-length integers, floats
// as four bytes, strings and sequences with their length in front, enums as the number of the variant.
//
// A type takes part by a member `template <class A> void fields(A &a)` that hands each field to `a` in order; an enum
// with data is a std::variant; a plain enum is an `enum class` with a last enumerator `Count`.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "utf8.hpp"

namespace postcard {

template <class T> concept Integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;
template <class T> concept Enum = std::is_enum_v<T>;

class Encoder {
  public:
    std::vector<uint8_t> bytes;

    void operator()(bool v) { bytes.push_back(v); }

    template <Integer T> void operator()(T v) {
        static_assert(std::is_unsigned_v<T>, "the protocol has no signed numbers");
        if constexpr (sizeof(T) == 1) bytes.push_back(v);
        else {
            while (v >= 0x80) {
                bytes.push_back(static_cast<uint8_t>(v) | 0x80);
                v >>= 7;
            }
            bytes.push_back(static_cast<uint8_t>(v));
        }
    }

    void operator()(float v) {
        uint32_t bits = std::bit_cast<uint32_t>(v);
        for (int i = 0; i < 4; i++) bytes.push_back(bits >> (8 * i));
    }

    void operator()(const std::string &v) {
        (*this)(static_cast<uint64_t>(v.size()));
        bytes.insert(bytes.end(), v.begin(), v.end());
    }

    template <class T> void operator()(const std::vector<T> &v) {
        (*this)(static_cast<uint64_t>(v.size()));
        for (const T &each : v) (*this)(each);
    }

    template <Enum T> void operator()(T v) { (*this)(static_cast<uint32_t>(v)); }

    template <class... T> void operator()(const std::variant<T...> &v) {
        (*this)(static_cast<uint32_t>(v.index()));
        std::visit([&](const auto &each) { (*this)(each); }, v);
    }

    template <class T> requires std::is_class_v<T> void operator()(const T &v) { const_cast<T &>(v).fields(*this); }
};

// Reads from bytes that another protection domain wrote. After the first fault nothing more is read, and ok() is
// false for good.
class Decoder {
  public:
    Decoder(const uint8_t *bytes, size_t len) : at_(bytes), end_(bytes + len) {}

    bool ok() const { return ok_; }
    bool finished() const { return ok_ && at_ == end_; }

    void operator()(bool &v) {
        uint8_t byte = next();
        if (byte > 1) ok_ = false;
        v = byte == 1;
    }

    template <Integer T> void operator()(T &v) {
        static_assert(std::is_unsigned_v<T>, "the protocol has no signed numbers");
        v = 0;
        if constexpr (sizeof(T) == 1) v = next();
        else {
            constexpr int bits = std::numeric_limits<T>::digits;
            for (int shift = 0; shift < bits; shift += 7) {
                uint8_t byte = next();
                if (bits - shift < 7 && (byte & 0x7f) >> (bits - shift)) break; // does not fit
                v |= static_cast<T>(static_cast<T>(byte & 0x7f) << shift);
                if (byte < 0x80) return;
            }
            ok_ = false;
        }
    }

    void operator()(float &v) {
        uint32_t bits = 0;
        for (int i = 0; i < 4; i++) bits |= static_cast<uint32_t>(next()) << (8 * i);
        v = std::bit_cast<float>(bits);
    }

    void operator()(std::string &v) {
        uint64_t len = 0;
        (*this)(len);
        if (!ok_ || len > left()) { ok_ = false; return; }
        v.assign(reinterpret_cast<const char *>(at_), len);
        at_ += len;
        if (!utf8::valid(v)) ok_ = false;
    }

    template <class T> void operator()(std::vector<T> &v) {
        uint64_t len = 0;
        (*this)(len);
        v.clear();
        if (!ok_ || len > left()) { ok_ = false; return; } // each element takes a byte at least
        for (uint64_t i = 0; i < len && ok_; i++) (*this)(v.emplace_back());
    }

    template <Enum T> void operator()(T &v) {
        uint32_t index = 0;
        (*this)(index);
        if (index >= static_cast<uint32_t>(T::Count)) { ok_ = false; index = 0; }
        v = static_cast<T>(index);
    }

    template <class... T> void operator()(std::variant<T...> &v) {
        uint32_t index = 0;
        (*this)(index);
        if (!ok_ || index >= sizeof...(T)) { ok_ = false; return; }
        variant_at(v, index, std::index_sequence_for<T...>{});
    }

    template <class T> requires std::is_class_v<T> void operator()(T &v) { v.fields(*this); }

  private:
    const uint8_t *at_, *end_;
    bool ok_ = true;

    size_t left() const { return end_ - at_; }

    uint8_t next() {
        if (!ok_ || at_ == end_) { ok_ = false; return 0; }
        return *at_++;
    }

    template <class V, size_t... I> void variant_at(V &v, uint32_t index, std::index_sequence<I...>) {
        (void)((index == I && ((*this)(v.template emplace<I>()), true)) || ...);
    }
};

template <class T> std::vector<uint8_t> encode(const T &value) {
    Encoder encoder;
    encoder(value);
    return std::move(encoder.bytes);
}

// True if `bytes` are exactly one T.
template <class T> bool decode(const uint8_t *bytes, size_t len, T &value) {
    Decoder decoder(bytes, len);
    decoder(value);
    return decoder.finished();
}

} // namespace postcard
