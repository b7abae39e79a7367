// One thread's words, back into events, into the encoder.
#include <heapwright/trace/record/drain.hpp>

namespace heapwright::trace::record {

/// What prefixes said about the event to come.
struct Drain::Prefixes {
    std::uint64_t claimed = 0;
    std::uint64_t touched = kTouchedUnknown;
    std::uint64_t wide_size = 0;
    std::uint8_t alignment_log2 = 0;
    bool has_wide_size = false;
    bool any = false;  // besides a claimed size
};

/// Reads a word that is no event. Returns: the next word.
const Word* Drain::read_prefix(Word word, const Word* next, Prefixes& prefixes, Tick& tick) noexcept {
    const std::uint64_t value = address_of(word);
    switch (op_of(word)) {
        case Op::tick: tick = word & kTickMask; return next;
        case Op::claimed: prefixes.claimed = value; return next;
        case Op::usable: note_usable(*next, value); return next + 1;
        case Op::touched: prefixes.touched = value; break;
        case Op::alignment: prefixes.alignment_log2 = static_cast<std::uint8_t>(value); break;
        case Op::wide:
            prefixes.wide_size = *next++;
            prefixes.has_wide_size = true;
            break;
        case Op::resize_from: break;  // an event: never comes here
    }
    prefixes.any = true;
    return next;
}

/// A resize, or an event with prefixes. Returns: the word after it.
const Word* Drain::add_rare(ThreadLog& log, Word word, const Word* next, const Prefixes& prefixes) noexcept {
    Event event;
    event.address = address_of(word);
    event.touched = prefixes.touched;
    event.alignment_log2 = prefixes.alignment_log2;
    if (op_of(word) == Op::resize_from) {
        event.kind = EventKind::resize_from;
        event.call = Call::realloc;
        log.departed = event.address;
        encoder_->add(event);
        return next;
    }
    event.call = static_cast<Call>(op_of(word));
    event.kind = kind_of(event.call);
    if (event.kind == EventKind::release) {
        event.size = prefixes.claimed;
    } else {
        const Word second = *next++;
        event.size = prefixes.has_wide_size ? prefixes.wide_size : second & kLargestSmallSize;
        event.stack = static_cast<StackId>(second >> 32);
    }
    if (event.kind == EventKind::resize_to) {
        event.old_address = log.departed;
        log.departed = 0;
    }
    encoder_->add(event);
    return next;
}

bool Drain::encode(TraceWriter& file, ThreadLog& log, const Word* from, const Word* to) noexcept {
    Prefixes prefixes;
    Tick tick = log.stamp_tick;
    while (from != to) {
        const Word word = *from++;
        const auto op = static_cast<unsigned>(op_of(word));
        if (HEAPWRIGHT_UNLIKELY(op > static_cast<unsigned>(Op::resize_from))) {
            from = read_prefix(word, from, prefixes, tick);
            continue;
        }
        if (HEAPWRIGHT_UNLIKELY(encoder_->is_full())) {
            if (!close_chunk(file, log)) {
                return false;
            }
            begin_chunk(log);
        }
        if (const Word step = step_of(word); step != 0) {
            tick += step - 1;
            encoder_->stamp(tick);
        }
        constexpr unsigned kPlainRequests = 1U << static_cast<unsigned>(Call::malloc) | 1U << static_cast<unsigned>(Call::calloc) |
                                            1U << static_cast<unsigned>(Call::new_object) | 1U << static_cast<unsigned>(Call::new_array);
        constexpr unsigned kPlainReleases = 1U << static_cast<unsigned>(Call::free) | 1U << static_cast<unsigned>(Call::delete_object) |
                                            1U << static_cast<unsigned>(Call::delete_array);
        if ((kPlainRequests >> op & 1) != 0 && !prefixes.any) {
            const Word second = *from++;
            encoder_->add_allocation(static_cast<Call>(op), address_of(word), second & kLargestSmallSize,
                                     static_cast<StackId>(second >> 32));
        } else if ((kPlainReleases >> op & 1) != 0 && !prefixes.any) {
            encoder_->add_release(static_cast<Call>(op), address_of(word), prefixes.claimed);
            prefixes.claimed = 0;
        } else {
            from = add_rare(log, word, from, prefixes);
            prefixes = {};
        }
    }
    log.stamp_tick = tick;
    return true;
}

}  // namespace heapwright::trace::record
