// What every workload shares: its scale, random numbers, marks that tell whether a block survived, and the checksum it prints.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <unistd.h>

#include <bench/malloc/resident.hpp>

namespace workload {

/// Ends the program: the allocator gave no memory, or what was written into a block is gone.
[[noreturn]] inline void fail(const char* sentence) {
    std::fprintf(stderr, "heapwright: the workload failed: %s\n", sentence);
    _exit(1);
}

inline std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
    return value ^ (value >> 31U);
}

/// A small generator, so that every allocator serves the same requests.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_{mixed(seed + 1)} {}

    std::uint64_t next() { return mixed(state_ += 0x9E3779B97F4A7C15U); }

    /// In [0, bound), for bounds below 2^32.
    std::size_t below(std::size_t bound) { return ((next() >> 32U) * bound) >> 32U; }

    /// In [least, most]: every doubling is equally likely, as in most programs; `most` is a power of two times `least`.
    std::size_t size_between(std::size_t least, std::size_t most) {
        const auto doublings = static_cast<std::size_t>(__builtin_ctzll(most / least));
        const std::size_t base = least << below(doublings);
        return base + below(base + 1);
    }

private:
    std::uint64_t state_;
};

/// How much of the usual work to do: the first argument, 1 unless it is given.
class Scale {
public:
    Scale(int count, char** words) : factor_{count > 1 ? std::atof(words[1]) : 1.0} {
        if (factor_ <= 0.0) {
            fail("the scale is not above 0; give a number such as 0.1");
        }
    }

    /// The part of `whole` to do, never less than `least`.
    [[nodiscard]] std::size_t of(std::size_t whole, std::size_t least = 1) const {
        const auto part = static_cast<std::size_t>(static_cast<double>(whole) * factor_);
        return part < least ? least : part;
    }

private:
    double factor_;
};

inline void store(void* at, std::uint64_t value) { std::memcpy(at, &value, sizeof value); }

inline std::uint64_t load(const void* at) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
}

/// Writes `tag` at both ends of a block of at least 8 bytes.
inline void mark(void* block, std::size_t size, std::uint64_t tag) {
    if (size >= 16) {
        store(static_cast<char*>(block) + size - 8, tag + size);
    }
    store(block, tag);
}

/// The tag of a marked block whose two ends still agree.
inline std::uint64_t tag_of(const void* block, std::size_t size) {
    const std::uint64_t tag = load(block);
    if (size >= 16 && load(static_cast<const char*>(block) + size - 8) != tag + size) {
        fail("a block lost what was written at its ends");
    }
    return tag;
}

/// As mark(), and a word into every OS page between: what a program does with memory that it really uses.
inline void mark_pages(void* block, std::size_t size, std::uint64_t tag) {
    for (std::size_t at = 4096; at + 16 <= size; at += 4096) {
        store(static_cast<char*>(block) + at, tag ^ at);
    }
    mark(block, size, tag);
}

inline std::uint64_t tag_of_pages(const void* block, std::size_t size) {
    const std::uint64_t tag = tag_of(block, size);
    for (std::size_t at = 4096; at + 16 <= size; at += 4096) {
        if (load(static_cast<const char*>(block) + at) != (tag ^ at)) {
            fail("a block lost what was written into one of its pages");
        }
    }
    return tag;
}

/// A block as its owner remembers it.
struct Block {
    void* at = nullptr;
    std::size_t size = 0;
};

inline void* given(void* block) {
    if (block == nullptr) {
        fail("no memory");
    }
    return block;
}

inline Block make(std::size_t size, std::uint64_t tag) {
    void* block = given(std::malloc(size));
    mark(block, size, tag);
    return {block, size};
}

/// Frees a block of make(), which may be empty. Returns what it adds to the checksum, in whatever order blocks die.
inline std::uint64_t release(Block& block) {
    if (block.at == nullptr) {
        return 0;
    }
    const std::uint64_t value = mixed(tag_of(block.at, block.size) + block.size);
    std::free(block.at);
    block.at = nullptr;
    return value;
}

template <class Items>
void shuffle(Items& items, Random& random) {
    for (std::size_t left = items.size(); left > 1; --left) {
        std::swap(items[left - 1], items[random.below(left)]);
    }
}

/// Runs `work(index)` in `count` threads and adds up what they return.
template <class Work>
std::uint64_t in_threads(unsigned count, Work work) {
    std::vector<std::uint64_t> sums(count);
    std::vector<std::thread> threads;
    for (unsigned index = 0; index < count; ++index) {
        threads.emplace_back([&sums, &work, index] { sums[index] = work(index); });
    }
    std::uint64_t sum = 0;
    for (unsigned index = 0; index < count; ++index) {
        threads[index].join();
        sum += sums[index];
    }
    return sum;
}

/// Prints the line that must be the same under every allocator, and the peak. Returns main's status.
inline int finish(std::uint64_t checksum) {
    std::printf("peak_kib %zu\n", peak_kib());
    std::printf("checksum %016llx\n", static_cast<unsigned long long>(checksum));
    return 0;
}

}  // namespace workload
