// One thread's words, back into events, into the encoder.
#include <heapwright/trace/record/drain.hpp>

namespace heapwright::trace::record {

namespace {

/// What prefixes said about the event to come.
struct Prefixes {
    std::uint64_t claimed = 0;
    std::uint64_t touched = kTouchedUnknown;
    std::uint64_t wide = 0;
    std::uint8_t alignment_log2 = 0;
    bool has_wide = false;
};

}  // namespace

bool Drain::encode(TraceWriter& file, ThreadLog& log, const Word* from, const Word* to) noexcept {
    Prefixes prefixes;
    Tick tick = log.stamp_tick;
    while (from != to) {
        const Word word = *from++;
        const Op op = op_of(word);
        if (op > Op::resize_from) {
            const std::uint64_t value = address_of(word);
            switch (op) {
                case Op::tick: tick = word & kTickMask; break;
                case Op::touched: prefixes.touched = value; break;
                case Op::alignment: prefixes.alignment_log2 = static_cast<std::uint8_t>(value); break;
                case Op::claimed: prefixes.claimed = value; break;
                case Op::wide: prefixes.wide = *from++; prefixes.has_wide = true; break;
                case Op::usable: note_usable(*from++, value); break;
                default: break;
            }
            continue;
        }
        Event event;
        event.address = address_of(word);
        const Word step = step_of(word);
        if (step != 0) {
            tick += step - 1;
            event.tick = tick;
        }
        if (op == Op::resize_from) {
            event.kind = EventKind::resize_from;
            event.call = Call::realloc;
            log.departed = event.address;
        } else {
            event.call = static_cast<Call>(op);
            event.kind = kind_of(event.call);
        }
        if (event.kind == EventKind::allocate || event.kind == EventKind::resize_to) {
            const Word second = *from++;
            event.size = prefixes.has_wide ? prefixes.wide : second & kLargestSmallSize;
            event.stack = static_cast<StackId>(second >> 32);
            if (event.kind == EventKind::resize_to) {
                event.old_address = log.departed;
                log.departed = 0;
            }
        } else {
            event.size = prefixes.claimed;
        }
        event.touched = prefixes.touched;
        event.alignment_log2 = prefixes.alignment_log2;
        prefixes = {};
        if (encoder_->is_full()) {
            if (!close_chunk(file, log)) {
                return false;
            }
            begin_chunk(log);
        }
        encoder_->add(event, step != 0);
    }
    log.stamp_tick = tick;
    return true;
}

}  // namespace heapwright::trace::record
