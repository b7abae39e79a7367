// Names are taken from below and given back; what is empty goes back to the system.
#include <heapwright/own/handle/detail/names.hpp>

#include <algorithm>

#include <heapwright/base/check.hpp>
#include <heapwright/own/handle/detail/layout.hpp>

namespace heapwright::movable {

namespace {

constexpr std::uint64_t kAllTaken = ~std::uint64_t{0};

/// The pages where these elements of an array lie. A page of them serves many pages of names: neighbours may have it already,
/// which does no harm.
template <class T>
bool commit_part(T* array, std::size_t begin, std::size_t end) noexcept {
    auto* const bytes = reinterpret_cast<std::byte*>(array);
    const std::size_t first = align_down(begin * sizeof(T), os::kPageBytes);
    return os::commit(bytes + first, os::round_to_pages(end * sizeof(T)) - first);
}

}  // namespace

Names::Names(std::byte* addresses, std::size_t names) noexcept
    : entries_(reinterpret_cast<Entry*>(addresses)),
      bits_(reinterpret_cast<std::uint64_t*>(addresses + names * sizeof(Entry))),
      counts_(reinterpret_cast<std::uint16_t*>(addresses + names * sizeof(Entry) + bits_bytes(names))),
      records_(reinterpret_cast<std::byte**>(addresses + names * sizeof(Entry) + bits_bytes(names) + counts_bytes(names))),
      most_(names) {}

bool Names::commit_more() noexcept {
    const std::size_t more = std::min(kPagesAtOnce * kPerPage, most_ - committed_);
    if (more == 0) {
        return false;
    }
    const std::size_t page = committed_ / kPerPage;
    const std::size_t end = (committed_ + more) / kPerPage;
    if (!os::commit(entries_ + committed_, more * sizeof(Entry)) ||
        !commit_part(bits_, committed_ / kBitsPerWord, (committed_ + more) / kBitsPerWord) || !commit_part(counts_, page, end) ||
        !commit_part(records_, page, end)) {
        return false;
    }
    std::fill(counts_ + page, counts_ + end, kUntouched);
    if (committed_ == 0) {
        bits_[0] = 1;  // kNone is taken, by nobody
    }
    committed_ += more;
    return true;
}

std::uint32_t Names::find_free(std::uint32_t limit) noexcept {
    const std::size_t words = std::min(committed_, std::size_t{limit} + kBitsPerWord - 1) / kBitsPerWord;
    while (hint_ < words && (bits_[hint_] == kAllTaken || (counts_[hint_ / PackedNames::kWords] & kPacked) != 0)) {
        hint_ += bits_[hint_] == kAllTaken ? 1 : PackedNames::kWords - hint_ % PackedNames::kWords;
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

std::uint32_t Names::take_any() noexcept {
    std::uint32_t name = find_free(UINT32_MAX - kBitsPerWord);
    if (name == kNone && commit_more()) {
        name = find_free(UINT32_MAX - kBitsPerWord);
    }
    if (name != kNone) {
        mark(name);
    }
    return name;
}

std::uint32_t Names::take() noexcept {
    const os::LockGuard guard(lock_);
    return take_any();
}

std::uint32_t Names::take_better(std::uint32_t name) noexcept {
    const os::LockGuard guard(lock_);
    const std::uint32_t lower = find_free(name);
    if (lower != kNone) {
        mark(lower);
        return lower;
    }
    return (counts_[name / kPerPage] & kPacked) != 0 ? take_any() : kNone;
}

std::uint32_t Names::give(std::uint32_t name) noexcept {
    const os::LockGuard guard(lock_);
    HEAPWRIGHT_CHECK(name != kNone && name < committed_ && (bits_[name / kBitsPerWord] >> name % kBitsPerWord & 1) != 0,
                     "a name that nobody has is given back; a handle was overwritten, or ended twice");
    bits_[name / kBitsPerWord] &= ~(std::uint64_t{1} << name % kBitsPerWord);
    const std::uint32_t page = name / kPerPage;
    --counts_[page];
    --live_;
    if ((counts_[page] & kPacked) != 0) {
        --packed_names_;
        return (counts_[page] & kCount) == 0 ? page : kNoPage;
    }
    hint_ = std::min(hint_, std::size_t{name} / kBitsPerWord);
    return kNoPage;
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

Names::Counts Names::counts() const noexcept {
    const os::LockGuard guard(lock_);
    return {.names = live_, .page_bytes = pages_used_ * os::kPageBytes, .records = records_live_, .record_bytes = record_bytes_};
}

/// MN3 for one page, and MN1.
const char* Names::broken_page(std::size_t page) const noexcept {
    const std::size_t first_word = page * PackedNames::kWords;
    const bool is_packed = (counts_[page] & kPacked) != 0;
    const auto* const record = reinterpret_cast<const PackedNames*>(records_[page]);
    if (is_packed != (record != nullptr)) {
        return "MN3: a page of names has a record and is not packed, or is packed and has none";
    }
    std::size_t here = 0;
    for (std::size_t word = 0; word < PackedNames::kWords; ++word) {
        const std::uint64_t bits = bits_[first_word + word] & ~std::uint64_t{first_word + word == 0 ? 1U : 0U};  // kNone is nobody's
        here += static_cast<std::size_t>(__builtin_popcountll(bits));
        if (is_packed && (bits & ~record->bits[word]) != 0) {
            return "MN3: a name of a packed page is not in its record";
        }
        if (!is_packed && first_word + word < hint_ && bits_[first_word + word] != kAllTaken) {
            return "MN2: a free name lies below the hint";
        }
    }
    if (here != (counts_[page] & kCount)) {
        return "MN1: a page of names does not count its own";
    }
    const Entry* const entries = entries_ + page * kPerPage;
    return is_packed && std::any_of(entries, entries + kPerPage, [](Entry entry) { return entry != kElsewhere; })
               ? "MN3: a packed page has entries of its own"
               : nullptr;
}

const char* Names::broken_invariant() const noexcept {
    std::size_t all = 0;
    for (std::size_t page = 0; page < committed_ / kPerPage; ++page) {
        if (const char* broken = broken_page(page)) {
            return broken;
        }
        all += counts_[page] & kCount;
    }
    return all != live_ ? "MN1: the names that are taken are not as many as are counted" : nullptr;
}

}  // namespace heapwright::movable
