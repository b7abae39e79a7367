// The end of a failed check: one line to whoever listens, then a trap.
#include <heapwright/base/check.hpp>

#include <atomic>

#include <heapwright/base/text.hpp>

namespace heapwright {
namespace {

constinit std::atomic<FailureHandler> failure_handler{nullptr};
static_assert(std::atomic<FailureHandler>::is_always_lock_free);

}  // namespace

FailureHandler set_failure_handler(FailureHandler handler) noexcept {
    // Release pairs with the acquire in fail_check: what the handler reads was written before it was set.
    return failure_handler.exchange(handler, std::memory_order_acq_rel);
}

void describe(const Failure& failure, TextBuffer& text) noexcept {
    text.append("heapwright: ");
    text.append(failure.sentence);
    if (failure.condition != nullptr) {
        text.append(" (");
        text.append(failure.condition);
        text.append(")");
    }
    if (failure.file != nullptr) {
        text.append(" at ");
        text.append(failure.file);
        text.append(":");
        text.append_decimal(static_cast<std::int64_t>(failure.line));
    }
}

void fail_check(const char* sentence, const char* condition, const char* file, int line) noexcept {
    // Acquire pairs with the exchange in set_failure_handler.
    if (const FailureHandler handler = failure_handler.load(std::memory_order_acquire)) {
        handler(Failure{.sentence = sentence, .condition = condition, .file = file, .line = line});
    }
    __builtin_trap();
}

}  // namespace heapwright
