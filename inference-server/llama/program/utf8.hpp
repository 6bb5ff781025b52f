// UTF-8: validity, and the reassembly of characters that tokens cut apart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace utf8 {

// Length of the character at the start of `s`: 1 to 4 if it is whole and valid, 0 if `s` ends inside a character that
// is valid so far, -n if its first n bytes are no part of a valid character.
inline int classify(std::string_view s) {
    auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
    uint8_t first = byte(0);
    if (first < 0x80) return 1;
    int length = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (length == 0) return -1;
    for (int i = 1; i < length; i++) {
        if (static_cast<size_t>(i) >= s.size()) return 0;
        uint8_t low = 0x80, high = 0xbf;
        if (i == 1 && first == 0xe0) low = 0xa0;  // no over-long forms
        if (i == 1 && first == 0xed) high = 0x9f; // no surrogates
        if (i == 1 && first == 0xf0) low = 0x90;
        if (i == 1 && first == 0xf4) high = 0x8f; // nothing above U+10FFFF
        if (byte(i) < low || byte(i) > high) return -i;
    }
    return length;
}

inline bool valid(std::string_view s) {
    while (!s.empty()) {
        int n = classify(s);
        if (n <= 0) return false;
        s.remove_prefix(n);
    }
    return true;
}

// Appends `from` to `to`, each invalid part as one U+FFFD. Returns the bytes used; what is left is the start of a
// character that is not complete yet.
inline size_t append(std::string &to, std::string_view from) {
    size_t used = 0;
    while (used < from.size()) {
        int n = classify(from.substr(used));
        if (n == 0) break;
        if (n > 0) to.append(from.substr(used, n));
        else to.append("\xef\xbf\xbd");
        used += n > 0 ? n : -n;
    }
    return used;
}

inline std::string clean(std::string_view from) {
    std::string to;
    if (append(to, from) < from.size()) to.append("\xef\xbf\xbd");
    return to;
}

// The longest prefix of valid `s` that has at most `max` bytes and ends between characters.
inline std::string_view prefix(std::string_view s, size_t max) {
    if (s.size() <= max) return s;
    while (max > 0 && (static_cast<uint8_t>(s[max]) & 0xc0) == 0x80) max--;
    return s.substr(0, max);
}

} // namespace utf8
