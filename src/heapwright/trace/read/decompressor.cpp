// zstd frames and plain bytes: the two ways in which a payload stands in the file.
#include <heapwright/trace/read/decompressor.hpp>

#include <cstring>
#include <new>

#include <zstd.h>

namespace heapwright::trace {

Decompressor::Decompressor() : context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) {
        throw std::bad_alloc();
    }
}

Decompressor::~Decompressor() { ZSTD_freeDCtx(context_); }

bool Decompressor::expand(const ChunkHeader& header, std::span<const std::uint8_t> stored, std::span<std::uint8_t> plain) {
    switch (header.compression) {
        case Compression::none:
            if (stored.size() != plain.size() || fnv1a(stored.data(), stored.size()) != header.payload_check) {
                return false;
            }
            if (!plain.empty()) {
                std::memcpy(plain.data(), stored.data(), plain.size());
            }
            return true;
        case Compression::zstd: {
            // One call for the whole frame: it never writes past `plain`, and verifies the content checksum.
            const std::size_t made = ZSTD_decompressDCtx(context_, plain.data(), plain.size(), stored.data(), stored.size());
            return ZSTD_isError(made) == 0 && made == plain.size();
        }
    }
    return false;  // a compression of a newer version
}

}  // namespace heapwright::trace
