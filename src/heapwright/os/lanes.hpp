// A part for each thread of a shared object: found in a few instructions, handed back when the thread ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>

namespace heapwright::os {

/// A thread's number. Never used again, so that a new thread is not taken for one that has ended.
enum class ThreadToken : std::uint64_t {};
inline constexpr ThreadToken kNoThread{0};

namespace detail {

/// The lanes that a thread used last, by the low bits of their owner's id. Trivial: no destructor, no wrapper function.
struct LaneCache {
    static constexpr std::size_t kEntries = 8;
    struct Entry {
        std::uint64_t owner_id;
        void* lane;
    };
    std::array<Entry, kEntries> entries;
};

// Initial-exec, so that it is one instruction in an executable and two in a library, never a call.
extern constinit thread_local LaneCache lane_cache __attribute__((tls_model("initial-exec")));

}  // namespace detail

/// Base of objects that keep a lane for each thread that uses them.
///
/// When a thread ends, every owner that listens is told, so that it can give the thread's lane to another. An owner that
/// ends first is simply no longer told: the two are kept apart by a lock, in whatever order they happen.
class LaneOwner {
public:
    LaneOwner(const LaneOwner&) = delete;
    LaneOwner& operator=(const LaneOwner&) = delete;

protected:
    /// Takes the lanes of a thread that ends. Runs on that thread, under the lock of the list of owners: it must not make
    /// or destroy owners.
    using ThreadEnded = void (*)(LaneOwner& owner, ThreadToken thread) noexcept;

    explicit LaneOwner(ThreadEnded thread_ended) noexcept;
    /// Requires: stop_listening() was called (checked).
    ~LaneOwner();

    /// From now on the owner is not told of threads that end. The first step of the derived class's destructor: when the
    /// base's own begins, the parts that would be told are gone.
    void stop_listening() noexcept;

    /// Returns:  the lane that remember_lane() stored in this thread; nullptr when it was displaced or never stored.
    /// Cost:     about 5 instructions.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* cached_lane() const noexcept {
        const detail::LaneCache::Entry& entry = cache_entry();
        if (HEAPWRIGHT_UNLIKELY(entry.owner_id != id_)) {
            return nullptr;
        }
        if (entry.lane == nullptr) {
            __builtin_unreachable();  // as remember_lane() requires, so that callers look once
        }
        return entry.lane;
    }
    /// Requires: lane is not nullptr.
    void remember_lane(void* lane) noexcept { cache_entry() = {.owner_id = id_, .lane = lane}; }

private:
    friend struct OwnerList;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE detail::LaneCache::Entry& cache_entry() const noexcept {
        // By an offset in bytes that is worked out once: two instructions less on every block.
        return *reinterpret_cast<detail::LaneCache::Entry*>(reinterpret_cast<std::byte*>(&detail::lane_cache) + cache_offset_);
    }

    std::uint64_t id_;  // never used again, so that a cached lane of an owner that is gone is not taken for a new one's
    std::size_t cache_offset_;
    ThreadEnded thread_ended_;
    LaneOwner* previous_ = nullptr;
    LaneOwner* next_ = nullptr;
    bool is_listening_ = true;
};

/// The calling thread's number. The first call in a thread arranges that owners are told of its end.
[[nodiscard]] ThreadToken current_thread() noexcept;

}  // namespace heapwright::os
