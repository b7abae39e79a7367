// Marking with several threads: who has much puts older entries on a shared pile, who has nothing takes from there.
#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/gc/detail/marker.hpp>

namespace heapwright::gc::detail {

struct MarkTeam::Helper {
    Helper(MarkTeam& its_team, Collector& collector) noexcept : team(&its_team), marker(collector, collector.config.mark_stack_entries) {}
    MarkTeam* team;
    Marker marker;
    os::RawThread thread;
};

namespace {

constexpr std::size_t kAlone = 8192;   // objects that are marked before anybody is woken: a wake costs as much as a thousand
constexpr std::size_t kBetween = 256;  // objects between two looks at who is hungry
// Few: the oldest entry of a stack that goes down a tree is half of what is left of it.
constexpr std::size_t kWorthSharing = 4;

}  // namespace

MarkTeam::~MarkTeam() {
    ends_.store(true, std::memory_order_relaxed);    // ordered by the increment
    round_.fetch_add(1, std::memory_order_release);  // pairs with the load in help
    os::futex_wake(&round_);
    for (unsigned index = 0; index < helper_count_; ++index) {
        helpers_[index].thread.join();
        helpers_[index].~Helper();
    }
    if (helpers_ != nullptr) {
        os::release(helpers_, os::round_to_pages(kMost * sizeof(Helper)));
    }
    if (shared_ != nullptr) {
        os::release(shared_, kShared * sizeof(void*));
    }
}

/// Threads are made when there is work for them the first time. Without them, one marker does it.
void MarkTeam::start_helpers() noexcept {
    has_started_ = true;
    const unsigned wanted = collector_.config.markers != 0 ? collector_.config.markers : std::min(os::usable_cores(), 2U);
    const unsigned helpers = std::min(wanted, kMost) - 1;
    if (helpers == 0) {
        return;
    }
    if (helpers_ == nullptr) {
        helpers_ = static_cast<Helper*>(os::map_pages(kMost * sizeof(Helper), "heapwright gc markers"));
    }
    if (shared_ == nullptr) {
        shared_ = static_cast<void**>(os::map_pages(kShared * sizeof(void*), "heapwright gc shared marks"));
    }
    if (helpers_ == nullptr || shared_ == nullptr) {
        return;
    }
    for (unsigned index = 0; index < helpers; ++index) {
        auto* const helper = ::new (helpers_ + index) Helper(*this, collector_);
        const auto run = [](void* argument) noexcept {
            auto& self = *static_cast<Helper*>(argument);
            self.team->help(self.marker);
        };
        if (!helper->thread.start(run, helper, "gc marker")) {
            helper->~Helper();
            return;
        }
        ++helper_count_;
    }
}

void MarkTeam::forget_after_fork() noexcept {
    for (unsigned index = 0; index < helper_count_; ++index) {
        helpers_[index].thread.forget_after_fork();
        helpers_[index].~Helper();
    }
    helper_count_ = 0;
    has_started_ = false;
    lock_.reset_after_fork();
}

void MarkTeam::help(Marker& marker) noexcept {
    std::uint32_t seen = 0;
    while (true) {
        const std::uint32_t round = round_.load(std::memory_order_acquire);  // pairs with the increments in drain and ~MarkTeam
        if (round == seen) {
            os::futex_wait(&round_, seen);
            continue;
        }
        seen = round;
        if (ends_.load(std::memory_order_relaxed)) {  // ordered by the load above
            return;
        }
        {
            const os::LockGuard guard(lock_);
            if (!is_open_) {
                continue;
            }
            ++joined_;
        }
        marker.set(TraceMode::mark, collector_.epoch);
        work(marker);
        const os::LockGuard guard(lock_);
        --joined_;
    }
}

bool MarkTeam::take(Marker& marker) noexcept {
    const os::LockGuard guard(lock_);
    const std::size_t shared = shared_count_.load(std::memory_order_relaxed);
    if (shared == 0) {
        return false;
    }
    const std::size_t pieces = shared_pieces_.size();
    std::size_t taken = 1;
    if (pieces != 0) {
        marker.pieces.push(shared_pieces_.pop());
    } else {
        taken = std::min(shared, kPacket);
        marker.accept(shared_ + (shared - taken), taken);
    }
    shared_count_.store(shared - taken, std::memory_order_relaxed);
    working_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void MarkTeam::offer(Marker& marker) noexcept {
    const os::LockGuard guard(lock_);
    const std::size_t shared = shared_count_.load(std::memory_order_relaxed);
    const std::size_t entries = shared - shared_pieces_.size();
    std::size_t given = 0;
    if (marker.waiting() >= kWorthSharing) {
        given = marker.share(shared_ + entries, std::min(kShared - entries, kPacket));
    } else if (!marker.pieces.empty()) {
        // Half of what is left of the largest thing.
        Piece& piece = marker.pieces[0];
        const std::size_t half = static_cast<std::size_t>(piece.end - piece.begin) / 2 / Marker::kPieceBytes * Marker::kPieceBytes;
        if (half != 0) {
            shared_pieces_.push({.owner = piece.owner, .begin = piece.end - half, .end = piece.end, .is_exact = piece.is_exact});
            piece.end -= half;
            given = 1;
        }
    }
    shared_count_.store(shared + given, std::memory_order_relaxed);
}

/// Until nobody has anything. Counted in working_: the first marker from the beginning, helpers when they took something.
void MarkTeam::work(Marker& marker) noexcept {
    bool works = &marker == &first;
    while (true) {
        while (works && !marker.is_empty()) {
            marker.drain_some(kBetween);
            if (&marker == &first ? is_over() : gives_up_.load(std::memory_order_relaxed)) {  // relaxed: see is_over
                marker.drop();
                break;
            }
            // Relaxed: a hint.
            if (hungry_.load(std::memory_order_relaxed) != 0 && shared_count_.load(std::memory_order_relaxed) == 0) {
                offer(marker);
            }
        }
        if (works) {
            working_.fetch_sub(1, std::memory_order_release);  // pairs with the acquire below
            works = false;
        }
        hungry_.fetch_add(1, std::memory_order_relaxed);  // a hint
        for (unsigned turn = 0;; ++turn) {
            // Nobody takes from the pile without the lock, and who has nothing left puts nothing on it.
            works = shared_count_.load(std::memory_order_relaxed) != 0 && take(marker);
            bool over = false;
            if (!works && working_.load(std::memory_order_acquire) == 0) {
                const os::LockGuard guard(lock_);
                over = working_.load(std::memory_order_relaxed) == 0 && shared_count_.load(std::memory_order_relaxed) == 0;
            }
            if (works || over) {
                hungry_.fetch_sub(1, std::memory_order_relaxed);  // a hint
                if (over) {
                    return;
                }
                break;
            }
            if (turn % 64 == 63) {
                os::yield_thread();
            } else {
                __builtin_ia32_pause();
            }
        }
    }
}

/// Whether the deadline has passed, or enough was followed. Asked by the first marker.
bool MarkTeam::is_over() noexcept {
    if (first.followed > most_objects_ || (deadline_ns_ != kNoDeadline && os::monotonic_ns() >= deadline_ns_)) {
        gives_up_.store(true, std::memory_order_relaxed);  // the others may hear of it late
        return true;
    }
    return false;
}

void MarkTeam::work_together() noexcept {
    {
        const os::LockGuard guard(lock_);
        is_open_ = true;
        working_.store(1, std::memory_order_relaxed);  // as in take
    }
    round_.fetch_add(1, std::memory_order_release);  // pairs with the load in help
    os::futex_wake(&round_);
    work(first);
    bool is_alone = false;
    while (!is_alone) {
        {
            const os::LockGuard guard(lock_);
            is_open_ = false;
            is_alone = joined_ == 0;
        }
        if (!is_alone) {
            os::yield_thread();
        }
    }
    for (unsigned index = 0; index < helper_count_; ++index) {
        first.take_overflow(helpers_[index].marker);
        followed_ += std::exchange(helpers_[index].marker.followed, 0);
    }
}

bool MarkTeam::drain_until(std::uint64_t deadline_ns, std::size_t most_objects) noexcept {
    deadline_ns_ = deadline_ns;
    most_objects_ = most_objects;
    gives_up_.store(false, std::memory_order_relaxed);  // nobody else is awake
    first.followed = 0;
    const auto go_on_alone = [&](std::size_t objects) {
        bool over = is_over();
        while (!over && !first.is_empty() && first.followed < objects) {
            first.drain_some(kBetween);
            over = is_over();
        }
    };
    const bool has_help = most_objects == SIZE_MAX && !first.moves();
    go_on_alone(has_help ? kAlone : SIZE_MAX);
    followed_ = 0;
    if (!gives_up_.load(std::memory_order_relaxed) && !first.is_empty()) {  // set by this thread
        if (!has_started_) {
            start_helpers();
        }
        if (helper_count_ != 0) {
            work_together();
        }
        go_on_alone(SIZE_MAX);
    }
    followed_ += first.followed;
    if (gives_up_.load(std::memory_order_relaxed)) {
        first.drop();
        return false;
    }
    first.drain();
    return true;
}

void MarkTeam::gather() noexcept {
    const auto take_from = [&](Marker& marker) {
        collector_.weak_slots.take(marker.weak_slots);
        collector_.ephemerons.take(marker.ephemerons);
        collector_.counts.pinned_by_words += marker.pinned_by_words;
        marker.pinned_by_words = 0;
    };
    take_from(first);
    for (unsigned index = 0; index < helper_count_; ++index) {
        take_from(helpers_[index].marker);
    }
}

}  // namespace heapwright::gc::detail
