// Marking with several threads: who has much puts older entries on a shared pile, who has nothing takes from there.
#include <algorithm>
#include <cstring>
#include <new>

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

constexpr std::size_t kAlone = 16384;  // objects that are marked before anybody is woken: a wake costs as much as a thousand
constexpr std::size_t kBetween = 256;  // objects between two looks at who is hungry
constexpr std::size_t kWorthSharing = 64;

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
    helpers_ = static_cast<Helper*>(os::map_pages(kMost * sizeof(Helper), "heapwright gc markers"));
    shared_ = static_cast<void**>(os::map_pages(kShared * sizeof(void*), "heapwright gc shared marks"));
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
    if (shared_count_ == 0) {
        return false;
    }
    const std::size_t count = std::min(shared_count_, kPacket);
    shared_count_ -= count;
    marker.accept(shared_ + shared_count_, count);
    ++working_;
    return true;
}

void MarkTeam::offer(Marker& marker) noexcept {
    const os::LockGuard guard(lock_);
    shared_count_ += marker.share(shared_ + shared_count_, std::min(kShared - shared_count_, kPacket));
}

/// Until nobody has anything. Counted in working_: the first marker from the beginning, helpers when they took something.
void MarkTeam::work(Marker& marker) noexcept {
    bool works = &marker == &first;
    while (true) {
        while (works && !marker.is_empty()) {
            marker.drain_some(kBetween);
            // Relaxed: a hint.
            if (hungry_.load(std::memory_order_relaxed) != 0 && marker.waiting() >= kWorthSharing) {
                offer(marker);
            }
        }
        if (works) {
            const os::LockGuard guard(lock_);
            --working_;
            works = false;
        }
        hungry_.fetch_add(1, std::memory_order_relaxed);  // a hint
        for (unsigned turn = 0;; ++turn) {
            works = take(marker);
            bool over = false;
            if (!works) {
                const os::LockGuard guard(lock_);
                over = working_ == 0 && shared_count_ == 0;
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

void MarkTeam::drain() noexcept {
    first.drain_some(kAlone);
    if (!first.is_empty() && !first.moves()) {
        if (!has_started_) {
            start_helpers();
        }
        if (helper_count_ != 0) {
            {
                const os::LockGuard guard(lock_);
                is_open_ = true;
                working_ = 1;
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
            }
        }
    }
    first.drain();
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
