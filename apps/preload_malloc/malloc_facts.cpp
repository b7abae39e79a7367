// What a program may ask of its allocator, and tell it: mallinfo, malloc_info, malloc_stats, malloc_trim, mallopt.
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>

#include "plan.hpp"
#include "served_heap.hpp"

#include <heapwright/alloc/heap/statistics_text.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/malloc.h>
#include <heapwright/os/report.hpp>

namespace {

using namespace heapwright;
namespace served_heap = preload::served_heap;

// The structures of glibc's malloc.h, by the same names of members.
template <class Number>
struct MallocFacts {
    Number arena;     // bytes of the heap, blocks with a mapping of their own not counted
    Number ordblks;   // pieces that free memory is in
    Number smblks;    // of fast bins, which this heap has not
    Number hblks;     // blocks with a mapping of their own
    Number hblkhd;    // bytes of those
    Number usmblks;   // always 0, also in glibc
    Number fsmblks;   // of fast bins
    Number uordblks;  // bytes in blocks of the program
    Number fordblks;  // bytes free
    Number keepcost;  // bytes that malloc_trim would give back
};

template struct MallocFacts<int>;  // complete, as C's are
template struct MallocFacts<std::size_t>;

template <class Number>
Number fit(std::uint64_t number) noexcept {
    constexpr auto kMost = static_cast<std::uint64_t>(static_cast<Number>(-1) < 0 ? INT_MAX : -1);
    return static_cast<Number>(number < kMost ? number : kMost);
}

template <class Number>
MallocFacts<Number> facts() noexcept {
    const HeapStatistics now = served_heap::statistics();
    const auto without = [](std::uint64_t whole, std::uint64_t part) { return whole > part ? whole - part : 0; };
    const std::uint64_t heap = without(now.active_bytes + now.dirty_bytes, now.large_bytes);
    const std::uint64_t used = without(now.allocated_bytes, now.large_bytes);
    return {.arena = fit<Number>(heap),
            .ordblks = fit<Number>(now.spans),
            .smblks = 0,
            .hblks = fit<Number>(now.large_blocks),
            .hblkhd = fit<Number>(now.large_bytes),
            .usmblks = 0,
            .fsmblks = 0,
            .uordblks = fit<Number>(used),
            .fordblks = fit<Number>(without(heap, used)),
            .keepcost = fit<Number>(now.dirty_bytes)};
}

constexpr int kMaxFast = 1;         // M_MXFAST
constexpr int kMaxFastBytes = 160;  // the most that glibc takes for it

}  // namespace

struct _IO_FILE;

extern "C" {

/// stdio's fwrite: its header is not for code like this.
std::size_t write_to_stream(const void* bytes, std::size_t size, std::size_t count, _IO_FILE* stream) __asm__("fwrite");

/// The figures of mallinfo2 as far as an int holds them: glibc's wrap around, these stop at the greatest.
HEAPWRIGHT_EXPORT MallocFacts<int> mallinfo() { return facts<int>(); }
HEAPWRIGHT_EXPORT MallocFacts<std::size_t> mallinfo2() { return facts<std::size_t>(); }

HEAPWRIGHT_EXPORT int malloc_info(int options, _IO_FILE* stream) {
    if (options != 0) {
        return EINVAL;
    }
    char room[kStatisticsTextBytes];
    TextBuffer text(room, sizeof(room));
    append_statistics_xml(text, served_heap::statistics());
    write_to_stream(text.view().data(), 1, text.view().size(), stream);
    return 0;
}

HEAPWRIGHT_EXPORT void malloc_stats() {
    char room[kStatisticsTextBytes];
    TextBuffer text(room, sizeof(room));
    append_statistics_text(text, served_heap::statistics());
    std::string_view lines = text.view();
    lines.remove_suffix(lines.empty() ? 0 : 1);  // the last newline is written with the line
    os::write_stderr_line(lines);
#if !defined(HEAPWRIGHT_PRELOAD_HARDENED)
    preload::for_each_place_line(text, [&] {
        std::string_view line = text.view();
        line.remove_suffix(1);
        os::write_stderr_line(line);
    });
#endif
}

/// Everything that is free goes back whatever `keep` asks to stay: this heap has no top to keep it at.
HEAPWRIGHT_EXPORT int malloc_trim(std::size_t keep) {
    static_cast<void>(keep);
    return served_heap::trim() != 0 ? 1 : 0;
}

HEAPWRIGHT_EXPORT std::size_t heapwright_compact() { return served_heap::trim(); }

/// Takes every parameter as glibc does, with the same refusals, and changes nothing: they tune parts that this heap has
/// not. HEAPWRIGHT_CONF tunes those that it has.
HEAPWRIGHT_EXPORT int mallopt(int parameter, int value) {
    const bool refused = parameter == kMaxFast && (value < 0 || value > kMaxFastBytes);
    return refused ? 0 : 1;
}

}  // extern "C"
