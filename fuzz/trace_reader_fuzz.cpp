// Any bytes as a trace: opened, played and analysed to the end. Nothing may crash, hang, or grow beyond its limits.
//
// The first byte chooses how deep the rest goes. Odd: the bytes are the file. Even: the checks of headers and payloads are
// repaired first, because no fuzzer guesses a checksum, and what lies behind the checks must survive any bytes, too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <heapwright/study/analysis/analyse.hpp>
#include <heapwright/trace/chunk.hpp>

namespace {

using namespace heapwright;

void repair(std::vector<std::uint8_t>& bytes) {
    trace::FileHeader file{};
    if (bytes.size() < sizeof file) {
        return;
    }
    std::memcpy(&file, bytes.data(), sizeof file);
    std::memcpy(file.magic, trace::kFileMagic, sizeof file.magic);
    file.version_major = trace::kVersionMajor;
    file.header_bytes = sizeof file;
    std::memcpy(bytes.data(), &file, sizeof file);
    std::size_t at = sizeof file;
    while (bytes.size() - at >= sizeof(trace::ChunkHeader)) {
        trace::ChunkHeader header{};
        std::memcpy(&header, bytes.data() + at, sizeof header);
        const std::size_t room = bytes.size() - at - sizeof header;
        header.magic = trace::kChunkMagic;
        header.compression = trace::Compression::none;
        header.stored_bytes = static_cast<std::uint32_t>(header.stored_bytes % (room + 1));
        header.plain_bytes = header.stored_bytes;
        if (header.first_tick > header.last_tick) {
            header.last_tick = header.first_tick;
        }
        header.payload_check = trace::fnv1a(bytes.data() + at + sizeof header, header.stored_bytes);
        unsigned char raw[sizeof header];
        std::memcpy(raw, &header, sizeof header);
        header.header_check = trace::fnv1a(raw, offsetof(trace::ChunkHeader, header_check));
        std::memcpy(bytes.data() + at, &header, sizeof header);
        at += sizeof header + header.stored_bytes;
    }
}

/// The one file of this process, in memory.
int file_in_memory() {
    static const int file = memfd_create("trace", MFD_CLOEXEC);
    return file;
}

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_ratio(double ratio) { check(ratio >= 0 && ratio <= 1); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    std::vector<std::uint8_t> bytes(data + 1, data + size);
    if (data[0] % 2 == 0) {
        repair(bytes);
    }
    const int file = file_in_memory();
    check(ftruncate(file, 0) == 0 && pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    const auto findings = study::analyse("/proc/self/fd/" + std::to_string(file), {.symbolize = false, .key_moments = 3});
    if (!findings) {
        return 0;
    }
    check_ratio(findings->at_peak.internal_ratio);
    check_ratio(findings->at_peak.external_ratio);
    check_ratio(findings->at_end.internal_ratio);
    check_ratio(findings->at_end.external_ratio);
    for (const study::Moment& moment : findings->timeline) {
        check_ratio(moment.fragmentation);
    }
    check(findings->health.used_bytes <= findings->health.file_bytes);
    check(findings->totals.leaked.blocks == findings->at_end.live_blocks);
    return 0;
}
