// One thread's words, back into events, into the encoder.
#include <heapwright/base/platform.hpp>
#include <heapwright/trace/record/drain.hpp>

namespace heapwright::trace::record {

/// What prefixes said about the event to come.
struct Drain::Prefixes {
    std::uint64_t claimed = 0;
    std::uint64_t touched = kTouchedUnknown;
    std::uint64_t wide_size = 0;
    std::uint8_t alignment_log2 = 0;
    bool has_wide_size = false;
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

namespace {

constexpr Op kResizeTo = static_cast<Op>(Call::realloc);

/// Whether an event takes one word: a release or a resize_from.
bool has_one_word(Op op) noexcept {
    constexpr unsigned kOneWord = 1U << static_cast<unsigned>(Call::free) | 1U << static_cast<unsigned>(Call::delete_object) |
                                  1U << static_cast<unsigned>(Call::delete_array) | 1U << static_cast<unsigned>(Call::unmap) |
                                  1U << static_cast<unsigned>(Op::resize_from);
    return (kOneWord >> static_cast<unsigned>(op) & 1) != 0;
}

}  // namespace

/// Encodes the events without prefixes, or with no other than a claimed size, that begin in [from, to).
///
/// Requires: the encoder has room for as many events as there are words.
/// Returns:  where it met another prefix, or a resize_to that does not follow its resize_from; else `to` or beyond.
const Word* Drain::encode_plain(ThreadLog& log, const Word* from, const Word* to) noexcept {
    EventEncoder::Burst burst(*encoder_);
    Tick tick = log.stamp_tick;
    std::uint64_t departed = log.departed;
    while (from < to) {
        Word word = *from;
        std::uint64_t claimed = 0;
        if (HEAPWRIGHT_UNLIKELY(op_of(word) > Op::resize_from)) {
            if (op_of(word) != Op::claimed || !has_one_word(op_of(from[1]))) {
                break;
            }
            claimed = address_of(word);
            word = *++from;
        }
        const Op op = op_of(word);
        if (HEAPWRIGHT_UNLIKELY(op == kResizeTo)) {
            if (departed != burst.departed()) {
                break;
            }
            departed = 0;
        }
        if (const Word step = step_of(word); step != 0) {
            tick += step - 1;
            burst.stamp(tick);
        }
        const std::uint64_t address = address_of(word);
        if (has_one_word(op)) {
            departed = op == Op::resize_from ? address : departed;
            burst.add_release(static_cast<unsigned>(op), address, claimed);
            ++from;
        } else {
            const Word second = from[1];
            burst.add_allocation(static_cast<unsigned>(op), address, second & kLargestSmallSize, static_cast<StackId>(second >> 32));
            from += 2;
        }
    }
    log.stamp_tick = tick;
    log.departed = departed;
    return from;
}

/// Encodes one event of any kind, with its prefixes. Requires: the encoder is not full.
/// Returns: the word after it.
const Word* Drain::encode_rare(ThreadLog& log, const Word* from) noexcept {
    Prefixes prefixes;
    while (op_of(*from) > Op::resize_from) {
        from = read_prefix(*from, from + 1, prefixes, log.stamp_tick);
    }
    if (const Word step = step_of(*from); step != 0) {
        log.stamp_tick += step - 1;
        encoder_->stamp(log.stamp_tick);
    }
    return add_rare(log, *from, from + 1, prefixes);
}

bool Drain::encode(TraceWriter& file, ThreadLog& log, const Word* from, const Word* to) noexcept {
    while (from != to) {
        if (encoder_->is_full()) {
            if (!close_chunk(file, log)) {
                return false;
            }
            begin_chunk(log);
        }
        // No event has less than a word.
        const std::ptrdiff_t room = encoder_->events_left();
        const Word* const end = to - from > room ? from + room : to;
        from = encode_plain(log, from, end);
        if (from < end) {
            from = encode_rare(log, from);
        }
    }
    return true;
}

}  // namespace heapwright::trace::record
