// For tests on Linux: reads messages, decodes and re-encodes them. Each comes as a byte (0 command, 1 reply), a u32
// length and the bytes; the answer is a byte (1 understood, 0 not), a u32 length and the bytes encoded anew.
#include <cstdio>

#include "proto.hpp"

template <class T> static bool again(std::vector<uint8_t> &bytes) {
    T value;
    if (!postcard::decode(bytes.data(), bytes.size(), value)) return false;
    bytes = postcard::encode(value);
    return true;
}

int main() {
    for (;;) {
        uint8_t kind;
        uint32_t length;
        if (std::fread(&kind, 1, 1, stdin) != 1 || std::fread(&length, 4, 1, stdin) != 1) return 0;
        std::vector<uint8_t> bytes(length);
        if (std::fread(bytes.data(), 1, length, stdin) != length) return 1;
        uint8_t good = kind ? again<proto::Reply>(bytes) : again<proto::Command>(bytes);
        if (!good) bytes.clear();
        length = static_cast<uint32_t>(bytes.size());
        std::fwrite(&good, 1, 1, stdout);
        std::fwrite(&length, 4, 1, stdout);
        std::fwrite(bytes.data(), 1, bytes.size(), stdout);
        std::fflush(stdout);
    }
}
