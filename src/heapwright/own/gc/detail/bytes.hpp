// Passes over the tables of a block, sixteen bytes at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include <emmintrin.h>

#include <heapwright/own/gc/detail/layout.hpp>

namespace heapwright::gc::detail {

namespace bytes {

[[nodiscard]] inline __m128i all(unsigned value) noexcept { return _mm_set1_epi8(static_cast<char>(value)); }
[[nodiscard]] inline __m128i choose(__m128i mask, __m128i yes, __m128i no) noexcept {
    return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}
/// Where none of these bits is set, byte by byte.
[[nodiscard]] inline __m128i has_none(__m128i value, __m128i bits) noexcept {
    return _mm_cmpeq_epi8(_mm_and_si128(value, bits), _mm_setzero_si128());
}
/// The sum of sixteen small counts.
[[nodiscard]] inline std::size_t sum(__m128i counts) noexcept {
    const __m128i halves = _mm_sad_epu8(counts, _mm_setzero_si128());
    return static_cast<std::size_t>(_mm_cvtsi128_si64(halves)) +
           static_cast<std::size_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(halves, halves)));
}
/// `change(__m128i)` for each sixteen of `count` bytes, a multiple of 16 at an address that is one.
template <class Change>
void each(std::uint8_t* first, std::size_t count, Change change) noexcept {
    for (std::size_t offset = 0; offset < count; offset += sizeof(__m128i)) {
        auto* const at = reinterpret_cast<__m128i*>(first + offset);
        _mm_store_si128(at, change(_mm_load_si128(at)));
    }
}

}  // namespace bytes

struct FreeLines {
    std::size_t before;
    std::size_t after;
};

/// Survivors' lines become old ones, and those in any of these states free.
[[nodiscard]] inline FreeLines settle_lines(std::uint8_t* lines, std::uint8_t freed_states) noexcept {
    static_assert(kLinesPerBlock / sizeof(__m128i) < 256, "each of the sixteen counts is a byte");
    const __m128i zero = _mm_setzero_si128();
    __m128i before = zero;
    __m128i after = zero;
    bytes::each(lines, kLinesPerBlock, [&](__m128i was) {
        const __m128i kept = _mm_and_si128(was, bytes::has_none(was, bytes::all(freed_states)));
        const __m128i now = bytes::choose(_mm_cmpeq_epi8(was, bytes::all(kLineSurvived)), bytes::all(kLineOld), kept);
        before = _mm_sub_epi8(before, _mm_cmpeq_epi8(was, zero));
        after = _mm_sub_epi8(after, _mm_cmpeq_epi8(now, zero));
        return now;
    });
    return {.before = bytes::sum(before), .after = bytes::sum(after)};
}

/// Lines of live objects wait to be reached again.
inline void age_lines(std::uint8_t* lines) noexcept {
    bytes::each(lines, kLinesPerBlock,
                [](__m128i was) { return bytes::choose(bytes::has_none(was, bytes::all(kLineOld)), was, bytes::all(kLinePrevious)); });
}

/// Marks of `wanted` epoch, or of none where it is 0, become nothing; what is logged stays so.
inline void clear_marks(std::uint8_t* marks, std::uint8_t wanted) noexcept {
    bytes::each(marks, kBlockBytes >> kGranuleShift, [&](__m128i was) {
        const __m128i mask = _mm_cmpeq_epi8(_mm_and_si128(was, bytes::all(kMarkEpochs)), bytes::all(wanted));
        return _mm_andnot_si128(_mm_andnot_si128(bytes::all(kMarkLogged), mask), was);
    });
}

/// Marks of one epoch become those of the other, pins forgotten.
inline void turn_marks(std::uint8_t* marks, std::uint8_t epoch) noexcept {
    bytes::each(marks, kBlockBytes >> kGranuleShift, [&](__m128i was) {
        const __m128i mask = _mm_cmpeq_epi8(_mm_and_si128(was, bytes::all(kMarkEpochs)), bytes::all(epoch));
        return bytes::choose(mask, _mm_or_si128(_mm_and_si128(was, bytes::all(kMarkHalf | kMarkLogged)), bytes::all(3U - epoch)), was);
    });
}

inline void unpin_marks(std::uint8_t* marks) noexcept {
    bytes::each(marks, kBlockBytes >> kGranuleShift, [](__m128i was) { return _mm_andnot_si128(bytes::all(kMarkPinned), was); });
}

}  // namespace heapwright::gc::detail
