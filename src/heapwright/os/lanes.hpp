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

    /// Never used again, so that a cached lane of an owner that is gone is not taken for one of an owner that is new.
    [[nodiscard]] std::uint64_t owner_id() const noexcept { return id_; }

private:
    friend struct OwnerList;

    std::uint64_t id_;
    ThreadEnded thread_ended_;
    LaneOwner* previous_ = nullptr;
    LaneOwner* next_ = nullptr;
    bool is_listening_ = true;
};

/// The calling thread's number. The first call in a thread arranges that owners are told of its end.
[[nodiscard]] ThreadToken current_thread() noexcept;

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

/// Returns:  the lane that remember_lane() stored for this owner in this thread; nullptr when it was displaced or never stored.
/// Cost:     about 5 instructions.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* cached_lane(std::uint64_t owner_id) noexcept {
    const detail::LaneCache::Entry& entry = detail::lane_cache.entries[owner_id % detail::LaneCache::kEntries];
    return HEAPWRIGHT_LIKELY(entry.owner_id == owner_id) ? entry.lane : nullptr;
}

inline void remember_lane(std::uint64_t owner_id, void* lane) noexcept {
    detail::lane_cache.entries[owner_id % detail::LaneCache::kEntries] = {.owner_id = owner_id, .lane = lane};
}

}  // namespace heapwright::os
