// Names are taken from below and given back; what is empty goes back to the system.
#include <heapwright/own/handle/detail/names.hpp>

#include <algorithm>

#include <heapwright/base/check.hpp>
#include <heapwright/own/handle/detail/layout.hpp>

namespace heapwright::movable {

namespace {

constexpr std::uint16_t kUntouched = 0x8000;  // beside a count of 0: the page was never written, or was given back
constexpr std::uint64_t kAllTaken = ~std::uint64_t{0};

}  // namespace

Names::Names(std::byte* addresses, std::size_t names) noexcept
    : entries_(reinterpret_cast<Entry*>(addresses)),
      bits_(reinterpret_cast<std::uint64_t*>(addresses + names * sizeof(Entry))),
      counts_(reinterpret_cast<std::uint16_t*>(addresses + names * sizeof(Entry) + bits_bytes(names))),
      most_(names) {}

bool Names::commit_more() noexcept {
    const std::size_t more = std::min(kPagesAtOnce * kPerPage, most_ - committed_);
    if (more == 0) {
        return false;
    }
    // A page of bits serves 32 pages of names, a page of counts many more: neighbours may have it already, which does no harm.
    auto* const bits = reinterpret_cast<std::byte*>(bits_) + align_down(committed_ / 8, os::kPageBytes);
    auto* const bits_end = reinterpret_cast<std::byte*>(bits_) + os::round_to_pages((committed_ + more) / 8);
    auto* const counts = reinterpret_cast<std::byte*>(counts_) + align_down(committed_ / kPerPage * sizeof(std::uint16_t), os::kPageBytes);
    auto* const counts_end =
        reinterpret_cast<std::byte*>(counts_) + os::round_to_pages((committed_ + more) / kPerPage * sizeof(std::uint16_t));
    if (!os::commit(entries_ + committed_, more * sizeof(Entry)) || !os::commit(bits, static_cast<std::size_t>(bits_end - bits)) ||
        !os::commit(counts, static_cast<std::size_t>(counts_end - counts))) {
        return false;
    }
    for (std::size_t page = committed_ / kPerPage; page < (committed_ + more) / kPerPage; ++page) {
        counts_[page] = kUntouched;
    }
    if (committed_ == 0) {
        bits_[0] = 1;  // kNone is taken, by nobody
    }
    committed_ += more;
    return true;
}

std::uint32_t Names::find_free(std::uint32_t limit) noexcept {
    const std::size_t words = std::min(committed_, std::size_t{limit} + kBitsPerWord - 1) / kBitsPerWord;
    while (hint_ < words && bits_[hint_] == kAllTaken) {
        ++hint_;
    }
    if (hint_ >= words) {
        return kNone;
    }
    const auto found = static_cast<std::uint32_t>(hint_ * kBitsPerWord + static_cast<unsigned>(__builtin_ctzll(~bits_[hint_])));
    return found < limit ? found : kNone;
}

void Names::mark(std::uint32_t name) noexcept {
    bits_[name / kBitsPerWord] |= std::uint64_t{1} << name % kBitsPerWord;
    std::uint16_t& count = counts_[name / kPerPage];
    if (count == kUntouched) {
        count = 0;
        ++pages_used_;
    }
    ++count;
    ++live_;
    entries_[name] = 0;
}

std::uint32_t Names::take() noexcept {
    const os::LockGuard guard(lock_);
    std::uint32_t name = find_free(UINT32_MAX - kBitsPerWord);
    if (name == kNone && commit_more()) {
        name = find_free(UINT32_MAX - kBitsPerWord);
    }
    if (name != kNone) {
        mark(name);
    }
    return name;
}

std::uint32_t Names::take_below(std::uint32_t name) noexcept {
    const os::LockGuard guard(lock_);
    const std::uint32_t lower = find_free(name);
    if (lower != kNone) {
        mark(lower);
    }
    return lower;
}

void Names::give(std::uint32_t name) noexcept {
    const os::LockGuard guard(lock_);
    HEAPWRIGHT_CHECK(name != kNone && name < committed_ && (bits_[name / kBitsPerWord] >> name % kBitsPerWord & 1) != 0,
                     "a name that nobody has is given back; a handle was overwritten, or ended twice");
    bits_[name / kBitsPerWord] &= ~(std::uint64_t{1} << name % kBitsPerWord);
    --counts_[name / kPerPage];
    --live_;
    hint_ = std::min(hint_, std::size_t{name} / kBitsPerWord);
}

std::size_t Names::trim() noexcept {
    const os::LockGuard guard(lock_);
    const std::size_t before = pages_used_;
    for (std::size_t page = 0; page < committed_ / kPerPage; ++page) {
        std::size_t end = page;
        while (end < committed_ / kPerPage && counts_[end] == 0) {
            ++end;
        }
        if (end > page && os::discard(entries_ + page * kPerPage, (end - page) * os::kPageBytes)) {
            pages_used_ -= end - page;
            std::fill(counts_ + page, counts_ + end, kUntouched);
            page = end - 1;
        }
    }
    // Bits of names that are all free are zeros, which is what pages hold that were given back. The first has kNone's.
    constexpr std::size_t kPagesPerPageOfBits = os::kPageBytes * 8 / kPerPage;
    const std::size_t end_of_bits = committed_ / kPerPage / kPagesPerPageOfBits;
    for (std::size_t page = 1; page < end_of_bits; ++page) {
        std::size_t end = page;
        while (end < end_of_bits && std::all_of(
                                        counts_ + end * kPagesPerPageOfBits, counts_ + (end + 1) * kPagesPerPageOfBits,
                                        [](std::uint16_t count) { return count == kUntouched; })) {
            ++end;
        }
        if (end > page) {
            static_cast<void>(os::discard(reinterpret_cast<std::byte*>(bits_) + page * os::kPageBytes, (end - page) * os::kPageBytes));
            page = end;
        }
    }
    return (before - pages_used_) * os::kPageBytes;
}

std::size_t Names::live() const noexcept {
    const os::LockGuard guard(lock_);
    return live_;
}

std::size_t Names::resident_bytes() const noexcept {
    const os::LockGuard guard(lock_);
    return pages_used_ * os::kPageBytes;
}

const char* Names::broken_invariant() const noexcept {
    std::size_t all = 0;
    for (std::size_t page = 0; page < committed_ / kPerPage; ++page) {
        std::size_t here = 0;
        for (std::size_t word = page * kPerPage / kBitsPerWord; word < (page + 1) * kPerPage / kBitsPerWord; ++word) {
            here += static_cast<std::size_t>(__builtin_popcountll(bits_[word]));
            if (word < hint_ && bits_[word] != kAllTaken) {
                return "MN2: a free name lies below the hint";
            }
        }
        here -= page == 0 ? 1 : 0;  // kNone
        if (here != (counts_[page] & (kUntouched - 1))) {
            return "MN1: a page of names does not count its own";
        }
        all += here;
    }
    return all != live_ ? "MN1: the names that are taken are not as many as are counted" : nullptr;
}

}  // namespace heapwright::movable
