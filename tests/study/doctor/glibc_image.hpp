// Another process's memory, made in the test: pages with bytes, and a heap of glibc's laid out in them.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include <heapwright/study/doctor/glibc_heap.hpp>
#include <heapwright/study/doctor/glibc_layout.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor {

/// Pages that are resident once something was written to them.
class ImageMemory final : public MemorySource {
public:
    std::size_t read(std::uint64_t address, std::span<std::byte> into) override {
        std::size_t there = 0;
        for (std::size_t done = 0; done < into.size();) {
            const std::uint64_t at = address + done;
            const std::size_t part = std::min<std::size_t>(into.size() - done, kPageBytes - at % kPageBytes);
            if (const auto found = pages_.find(page_down(at)); found != pages_.end()) {
                std::memcpy(into.data() + done, found->second.data() + at % kPageBytes, part);
                there += part;
            } else {
                std::memset(into.data() + done, 0, part);
            }
            done += part;
        }
        bytes_read += there;
        return there;
    }
    PageRun residency(std::uint64_t start, std::uint64_t end, std::uint64_t /*counted_bytes*/) override {
        std::vector<bool> resident;
        for (std::uint64_t at = start; at < end; at += kPageBytes) {
            resident.push_back(pages_.contains(at));
        }
        return PageRun{start, resident};
    }
    void write(std::uint64_t address, std::span<const std::byte> bytes) {
        for (std::size_t done = 0; done < bytes.size(); ++done) {
            page_of(address + done)[(address + done) % kPageBytes] = bytes[done];
        }
    }
    template <class T>
    void put(std::uint64_t address, const T& value) {
        write(address, std::as_bytes(std::span{&value, 1}));
    }
    void touch(std::uint64_t start, std::uint64_t end) {
        for (std::uint64_t at = page_down(start); at < end; at += kPageBytes) {
            page_of(at);
        }
    }
    void drop(std::uint64_t page) { pages_.erase(page_down(page)); }

    std::uint64_t bytes_read = 0;

private:
    std::vector<std::byte>& page_of(std::uint64_t address) {
        std::vector<std::byte>& page = pages_[page_down(address)];
        page.resize(kPageBytes);
        return page;
    }

    std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

namespace glibc {

enum class State : std::uint8_t { used, freed, fast };

struct MadeChunk {
    std::uint64_t bytes;
    State state;
};

/// Writes chunks one after the other from `begin`, then a top up to `end`; returns where each begins, the top last.
///
/// Requires: no two neighbours are State::freed.
inline std::vector<std::uint64_t> lay_out(ImageMemory& memory, std::uint64_t begin, std::span<const MadeChunk> chunks, std::uint64_t end) {
    std::vector<std::uint64_t> places;
    std::uint64_t at = begin;
    bool previous_is_freed = false;
    for (const MadeChunk& chunk : chunks) {
        places.push_back(at);
        memory.put(at + 8, chunk.bytes | (previous_is_freed ? 0 : kPreviousInUse));
        previous_is_freed = chunk.state == State::freed;
        at += chunk.bytes;
        if (previous_is_freed) {
            memory.put(at, chunk.bytes);
        }
    }
    places.push_back(at);
    if (at < end) {
        memory.put(at + 8, (end - at) | (previous_is_freed ? 0 : kPreviousInUse));
    }
    return places;
}

/// An arena as it is before its first malloc: every ring leads to itself.
inline Arena fresh_arena(std::uint64_t address) {
    Arena arena{};
    for (std::size_t bin = 0; bin < kBins; ++bin) {
        const std::uint64_t ring = address + offsetof(Arena, bins) - 16 + bin * 16;
        arena.bins[2 * bin] = ring;
        arena.bins[2 * bin + 1] = ring;
    }
    arena.top = address + offsetof(Arena, top);
    arena.next = address;
    arena.attached_threads = 1;
    return arena;
}

/// Links chunks as a fast bin does, and returns its head.
inline std::uint64_t link_fast(ImageMemory& memory, std::span<const std::uint64_t> chunks, bool is_mixed) {
    std::uint64_t next = 0;
    for (const std::uint64_t chunk : chunks) {
        memory.put(chunk + kBlockOffset, unmixed(chunk + kBlockOffset, next, is_mixed));  // mixing undoes itself
        next = chunk;
    }
    return next;
}

}  // namespace glibc

}  // namespace heapwright::study::doctor
