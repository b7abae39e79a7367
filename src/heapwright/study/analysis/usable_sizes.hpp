// How many bytes the program's allocator really gave for a request, from the pairs that the recorder saw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <heapwright/trace/read/metadata.hpp>

namespace heapwright::study {

/// Where several usable sizes were seen for one request or for larger ones, the smallest holds: it is what the class always
/// has, and blocks can then never seem to overlap.
///
///   -   usable(size) >= size
///
/// Thread safety: after finish(), const members from any thread.
class UsableSizes {
public:
    void add(std::span<const trace::UsableSize> pairs);
    /// Prepares the answers. No pair may be added afterwards.
    void finish();

    /// Without any pair the usable size is the requested one. A size between known ones belongs to the class of the
    /// known size below it if that class is large enough for it, and is otherwise rounded to 8 bytes.
    /// Cost: O(1) below 32 KiB, else O(log pairs).
    [[nodiscard]] std::uint64_t usable(std::uint64_t size) const {
        return size < small_.size() ? size + small_[static_cast<std::size_t>(size)] : usable_slow(size);
    }
    [[nodiscard]] bool is_known() const { return !pairs_.empty(); }

private:
    static constexpr std::size_t kSmall = 32 * 1024;

    [[nodiscard]] std::uint64_t usable_slow(std::uint64_t size) const;

    std::map<std::uint64_t, std::uint64_t> pairs_;
    std::vector<std::uint32_t> small_;  // usable minus requested
};

}  // namespace heapwright::study
