#include <heapwright/study/report/gzip.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include <zlib.h>

#include <heapwright/base/check.hpp>

namespace heapwright::study {

struct Gzip::Stream {
    z_stream z{};
};

Gzip::Gzip() : stream_(std::make_unique<Stream>()) {
    constexpr int kLevel = 6;             // level 9 takes four times as long for 1 % less
    constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's header
    constexpr int kMemory = 8;
    if (deflateInit2(&stream_->z, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::bad_alloc();
    }
}

Gzip::~Gzip() { deflateEnd(&stream_->z); }

void Gzip::add(std::string_view piece) {
    while (!piece.empty()) {
        const std::size_t here = std::min<std::size_t>(piece.size(), std::numeric_limits<uInt>::max());
        pump(piece.substr(0, here), Z_NO_FLUSH);
        piece.remove_prefix(here);
    }
}

std::string Gzip::finish() {
    pump({}, Z_FINISH);
    return std::move(packed_);
}

void Gzip::pump(std::string_view piece, int flush) {
    std::array<char, 1U << 16U> room;
    z_stream& z = stream_->z;
    z.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(piece.data()));  // zlib's interface predates const
    z.avail_in = static_cast<uInt>(piece.size());
    do {
        z.next_out = reinterpret_cast<Bytef*>(room.data());
        z.avail_out = static_cast<uInt>(room.size());
        const int status = deflate(&z, flush);
        HEAPWRIGHT_CHECK(status != Z_STREAM_ERROR, "a gzip stream is not used after its end");
        packed_.append(room.data(), room.size() - z.avail_out);
    } while (z.avail_out == 0);
}

}  // namespace heapwright::study
