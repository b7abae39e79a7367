// The buffers that carry words from the program's threads to the background thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/trace/record/word.hpp>

namespace heapwright::trace::record {

/// 64 KiB of words, filled by one thread from the front.
struct Buffer {
    static constexpr std::size_t kBytes = std::size_t{64} << 10;
    static constexpr std::size_t kWords = kBytes / sizeof(Word) - 4;

    Buffer* next = nullptr;
    const Word* drained = nullptr;  ///< what lies before it is in the file; the background thread's
    const Word* filled = nullptr;   ///< set when the buffer is handed over
    std::uint64_t reserved = 0;
    Word words[kWords];

    void reset() noexcept {
        next = nullptr;
        drained = words;
        filled = words;
    }
    /// The last place where an event may begin.
    [[nodiscard]] Word* last_start() noexcept { return words + kWords - kMaxEventWords; }
};
static_assert(sizeof(Buffer) == Buffer::kBytes);

/// All buffers of the process. They are taken from the kernel sixteen at a time and kept.
///
///   BP1  given out + free == carved
///
/// Thread safety: none; the recorder's lock guards it.
class BufferPool {
public:
    /// So many buffers may be in flight besides one that each thread holds: 6 MiB.
    static constexpr std::uint32_t kMaxSpare = 96;

    /// Returns:  a buffer; nullptr when `threads` + kMaxSpare are out or the kernel refuses.
    [[nodiscard]] Buffer* take(std::uint32_t threads) noexcept;
    void give(Buffer* buffer) noexcept;

    /// In the child of fork: every buffer is free and gives its memory back, except that none is lost track of.
    void take_all_back() noexcept;

    [[nodiscard]] std::uint32_t taken() const noexcept { return taken_; }

    /// The name of the first invariant that does not hold, or nullptr. O(free buffers).
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    static constexpr std::size_t kPerBlock = 16;
    static constexpr std::size_t kMaxBlocks = 1024;

    [[nodiscard]] bool grow() noexcept;

    Buffer* free_ = nullptr;  // the last one given is the next one taken: its words are still in the cache
    std::uint32_t taken_ = 0;
    std::uint32_t blocks_ = 0;
    std::uint32_t carved_ = 0;
    std::array<Buffer*, kMaxBlocks> block_{};
};

}  // namespace heapwright::trace::record
