// Events that are not the usual case: first ones, large ones, sampled ones, aligned ones, and those of signal handlers.
#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/trace/record/hot_path.hpp>

namespace heapwright::trace::record {

namespace {

/// Measuring touched bytes may take one part in this many of a thread's time, saved up to the limit.
constexpr std::uint64_t kLookShareOfTime = 50;
constexpr std::uint64_t kLookCreditMax = 50'000'000;
/// What the kernel takes at least: the call, and a step per OS page.
constexpr std::uint64_t kLookCycles = 1000;
constexpr std::uint64_t kLookCyclesPerPage = 20;

/// A log that is ready for one event, and where its words go.
class SlowEntry {
public:
    /// Requires: `limit` is what log.enter() gave.
    SlowEntry(ThreadLog& log, PlaceNumber limit) noexcept : log_(&log) {
        if (log_ == &unattached_log) {
            log_ = recorder.attach();
            if (log_ == nullptr) {
                return;
            }
            current_log = log_;
            if (recorder.host().thread_attached != nullptr) {
                recorder.host().thread_attached(*log_);
            }
            limit = log_->enter();
        } else if (log_ == &detached_log || limit == kBusy) {
            if (limit == kBusy) {
                log_->quiet_left = 1;  // the interrupted thread's next event must not seem older than this one
            }
            log_ = recorder.lock_process_log();
            if (log_ == nullptr) {
                recorder.count_dropped(1);
                return;
            }
            shared_ = true;
            limit = log_->enter();
            log_->quiet_left = 1;
        }
        at_ = log_->place() > limit ? recorder.make_room(*log_) : reinterpret_cast<Word*>(log_->place());
        if (at_ == nullptr) {
            if (recorder.is_running()) {
                recorder.count_dropped(1);
            }
            finish(nullptr);
        }
    }
    SlowEntry(const SlowEntry&) = delete;
    SlowEntry& operator=(const SlowEntry&) = delete;
    ~SlowEntry() {
        if (at_ != nullptr) {
            finish(at_);
        }
    }

    [[nodiscard]] bool is_open() const noexcept { return at_ != nullptr; }
    [[nodiscard]] bool is_shared() const noexcept { return shared_; }
    [[nodiscard]] ThreadLog& log() noexcept { return *log_; }

    void put(Word word) noexcept { *at_++ = word; }
    void stamp(Word& word) noexcept { at_ = log_->stamp(at_, word); }
    [[nodiscard]] StackId stack(const CallSite& site) noexcept {
        return shared_ || log_->stack_mode == stack::StackMode::none ? StackId::none : log_->stacks.capture(site, log_->depth);
    }

private:
    void finish(const Word* at) noexcept {
        at == nullptr ? log_->leave() : log_->publish(at);
        if (shared_) {
            recorder.unlock_process_log();
        }
        at_ = nullptr;
    }

    ThreadLog* log_;
    Word* at_ = nullptr;
    bool shared_ = false;
};

bool samples() noexcept { return recorder.options().sample_interval_bytes != 0; }

/// Whether one of these bytes is a sample: the distance to the next is drawn anew after each.
bool take_sample(ThreadLog& log, std::uint64_t size) noexcept {
    if (size < static_cast<std::uint64_t>(log.sample_left)) {
        log.sample_left -= static_cast<std::int64_t>(size);
        return false;
    }
    log.sample_left = log.draw.next(recorder.options().sample_interval_bytes);
    return size != 0;
}

std::uint64_t usable_size_of(void* block) noexcept { return recorder.host().usable_size(block); }

/// How much the allocator gave, where that is not known yet; else 0.
///
/// Requires: the thread is not inside an event: an allocator may allocate to answer its first question.
std::uint64_t ask_usable_size(const Request& request, void* block) noexcept {
    const bool small = request.size < kLargeBlockBytes;
    if (block == nullptr || request.call == Call::map || (small && request.alignment_log2 == 0 && usable_size_is_known(request.size))) {
        return 0;
    }
    if (small) {
        // Relaxed: see usable_size_is_known(). Set first, so that an answer that allocates does not ask again.
        recorder.usable_known[request.size / 64].fetch_or(std::uint64_t{1} << request.size % 64, std::memory_order_relaxed);
    }
    return usable_size_of(block);
}

/// Notes what was answered; large blocks are marked for a look at their release.
void put_usable_size(SlowEntry& entry, const Request& request, void* block, std::uint64_t usable) noexcept {
    if (usable >= kLargeBlockBytes) {
        recorder.filter.enter(block);
    }
    // Alignment takes room of its own: those sizes would be no rule.
    if (usable != 0 && request.alignment_log2 == 0 && usable <= kAddressMask) {
        entry.put(word_of(Op::usable, usable));
        entry.put(request.size);
    }
}

/// Asks for the usable size between two events: the one that the hot path had begun is begun again.
std::uint64_t ask_outside(PlaceNumber& limit, const Request& request, void* block) noexcept {
    if (limit == kBusy || !recorder.is_running()) {
        return 0;  // in a signal handler the event around it is not ours to interrupt
    }
    current_log->leave();
    const std::uint64_t usable = ask_usable_size(request, block);
    limit = current_log->enter();
    return usable;
}

/// How many bytes of a large block are in memory, if there is time to look.
std::uint64_t touched_bytes(ThreadLog& log, const void* block, std::uint64_t usable) noexcept {
    const std::uint64_t now = os::ticks();
    const std::uint64_t credit = log.look_credit + (now - log.look_cycles) / kLookShareOfTime;
    log.look_credit = credit < kLookCreditMax ? credit : kLookCreditMax;
    log.look_cycles = now;
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(block) & ~(os::kPageBytes - 1);
    const std::size_t bytes = os::round_to_pages(reinterpret_cast<std::uintptr_t>(block) + usable - begin);
    if (log.look_credit < kLookCycles + bytes / os::kPageBytes * kLookCyclesPerPage) {
        return kTouchedUnknown;
    }
    const long pages = os::resident_pages(reinterpret_cast<const void*>(begin), bytes);
    const std::uint64_t cost = os::ticks() - now;
    log.look_credit -= cost < log.look_credit ? cost : log.look_credit;
    if (pages < 0) {
        return kTouchedUnknown;
    }
    const std::uint64_t touched = static_cast<std::uint64_t>(pages) * os::kPageBytes;
    return touched < usable ? touched : usable;
}

/// What is to be said of a block that goes away. Returns: false when it was never recorded.
bool look_at_departing(SlowEntry& entry, void* block) noexcept {
    if (samples() && !recorder.sampled.remove(reinterpret_cast<std::uintptr_t>(block))) {
        return false;
    }
    if (!recorder.filter.may_hold(block)) {
        return true;
    }
    const std::uint64_t usable = usable_size_of(block);
    if (usable < kLargeBlockBytes) {
        return true;
    }
    recorder.filter.leave(block);
    const std::uint64_t touched = touched_bytes(entry.log(), block, usable);
    if (touched != kTouchedUnknown) {
        entry.put(word_of(Op::touched, touched));
    }
    return true;
}

void put_request(SlowEntry& entry, const Request& request, void* block, const CallSite& site) noexcept {
    const StackId stack = entry.stack(site);
    Word word = word_of(request.call, reinterpret_cast<std::uintptr_t>(block));
    entry.stamp(word);
    if (request.alignment_log2 != 0) {
        entry.put(word_of(Op::alignment, request.alignment_log2));
    }
    if (request.size > kLargestSmallSize) {
        entry.put(word_of(Op::wide, 0));
        entry.put(request.size);
    }
    entry.put(word);
    entry.put(static_cast<Word>(stack) << 32 | (request.size & kLargestSmallSize));
}

void put_release(SlowEntry& entry, Call call, void* block, std::uint64_t claimed) noexcept {
    Word word = word_of(call, reinterpret_cast<std::uintptr_t>(block));
    entry.stamp(word);
    if (claimed != 0 && claimed <= kAddressMask) {
        entry.put(word_of(Op::claimed, claimed));
    }
    entry.put(word);
}

}  // namespace

void note_allocation_slow(PlaceNumber limit, Request request, void* block, CallSite site) noexcept {
    const std::uint64_t usable = ask_outside(limit, request, block);
    SlowEntry entry(*current_log, limit);
    if (!entry.is_open()) {
        return;
    }
    if (samples() &&
        (block == nullptr || !take_sample(entry.log(), request.size) || !recorder.sampled.enter(reinterpret_cast<std::uintptr_t>(block)))) {
        return;
    }
    put_usable_size(entry, request, block, usable);
    put_request(entry, request, block, site);
}

void note_rare_allocation(Request request, void* block, CallSite site) noexcept {
    note_allocation_slow(current_log->enter(), request, block, site);
}

bool note_release_slow(ThreadLog& log, PlaceNumber limit, Call call, void* block, std::uint64_t claimed) noexcept {
    SlowEntry entry(log, limit);
    if (recorder.filter.may_hold(block) && recorder.is_foreign(block)) {
        return false;
    }
    if (entry.is_open() && look_at_departing(entry, block)) {
        put_release(entry, call, block, claimed);
    }
    return true;
}

void note_unmap(void* start, std::size_t bytes) noexcept {
    ThreadLog& log = *current_log;
    SlowEntry entry(log, log.enter());
    if (entry.is_open() && !samples()) {
        put_release(entry, Call::unmap, start, bytes);
    }
}

Departure note_resize_from(void* block) noexcept {
    ThreadLog& log = *current_log;
    SlowEntry entry(log, log.enter());
    if (!entry.is_open()) {
        return Departure::unknown;
    }
    if (entry.is_shared()) {
        return Departure::deferred;  // other threads' events could come between this one and its resize_to
    }
    if (!look_at_departing(entry, block)) {
        return Departure::unknown;
    }
    Word word = word_of(Op::resize_from, 0) | reinterpret_cast<std::uintptr_t>(block);
    entry.stamp(word);
    entry.put(word);
    return Departure::noted;
}

void note_resize_to(Departure departure, void* old, void* block, std::size_t size, CallSite site) noexcept {
    Request request = {.call = Call::realloc, .alignment_log2 = 0, .size = size};
    PlaceNumber limit = current_log->enter();
    const std::uint64_t usable = ask_outside(limit, request, block);
    SlowEntry entry(*current_log, limit);
    if (!entry.is_open()) {
        return;
    }
    const bool refused = block == nullptr && size != 0;
    if (departure == Departure::deferred && !refused && look_at_departing(entry, old)) {
        put_release(entry, Call::free, old, 0);
    }
    if (departure == Departure::noted && refused) {
        if (samples()) {
            static_cast<void>(recorder.sampled.enter(reinterpret_cast<std::uintptr_t>(old)));
        } else if (usable_size_of(old) >= kLargeBlockBytes) {
            recorder.filter.enter(old);
        }
        put_request(entry, request, nullptr, site);
        return;
    }
    if (samples() &&
        (block == nullptr || !take_sample(entry.log(), size) || !recorder.sampled.enter(reinterpret_cast<std::uintptr_t>(block)))) {
        if (departure == Departure::noted) {
            // The new block is none of the sampled: for the reader the old one is gone.
            request.size = 0;
            put_request(entry, request, nullptr, site);
        }
        return;
    }
    put_usable_size(entry, request, block, usable);
    put_request(entry, request, block, site);
}

}  // namespace heapwright::trace::record
