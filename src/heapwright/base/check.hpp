// Assertions in three strengths: always, in debug builds, and whole-object audits.
//
//   HEAPWRIGHT_CHECK(condition, "sentence")    always; one branch; guards memory safety against a caller's mistake
//   HEAPWRIGHT_ASSERT(condition, "sentence")   where NDEBUG is not defined; guards our own reasoning
//   HEAPWRIGHT_AUDIT(object)                   in audit builds; runs object.broken_invariant(), which may be O(n)
//
// None allocates. A failure prints `heapwright: sentence (condition) at file:line` through the failure handler, if one
// is set (os::report_failures_to_stderr() sets one), and then traps. It never returns and never throws.
#pragma once

#include <heapwright/base/platform.hpp>

namespace heapwright {

class TextBuffer;

/// The facts of a failed check. `condition` and `file` may be nullptr.
struct Failure {
    const char* sentence;
    const char* condition;
    const char* file;
    int line;
};

/// Called with the facts before the trap. Must not allocate, lock or throw: the program is already broken.
using FailureHandler = void (*)(const Failure& failure) noexcept;

/// Returns:  the handler that was set before; nullptr if none.
/// Thread safety: any thread.
FailureHandler set_failure_handler(FailureHandler handler) noexcept;

/// Appends "heapwright: sentence (condition) at file:line", without a newline.
void describe(const Failure& failure, TextBuffer& text) noexcept;

/// Hands the facts to the failure handler and traps.
[[noreturn]] HEAPWRIGHT_COLD void fail_check(const char* sentence, const char* condition, const char* file, int line) noexcept;

}  // namespace heapwright

#define HEAPWRIGHT_CHECK(condition, sentence)                                   \
    do {                                                                        \
        if (HEAPWRIGHT_UNLIKELY(!(condition))) {                                \
            ::heapwright::fail_check(sentence, #condition, __FILE__, __LINE__); \
        }                                                                       \
    } while (false)

#ifdef NDEBUG
// The operand is not evaluated, but stays compiled so that it cannot rot.
#define HEAPWRIGHT_ASSERT(condition, sentence) static_cast<void>(sizeof(!(condition)))
#else
#define HEAPWRIGHT_ASSERT(condition, sentence) HEAPWRIGHT_CHECK(condition, sentence)
#endif

#ifdef HEAPWRIGHT_AUDIT_ENABLED
#define HEAPWRIGHT_AUDIT(object)                                                      \
    do {                                                                              \
        if (const char* heapwright_broken = (object).broken_invariant()) {            \
            ::heapwright::fail_check(heapwright_broken, nullptr, __FILE__, __LINE__); \
        }                                                                             \
    } while (false)
#else
#define HEAPWRIGHT_AUDIT(object) static_cast<void>(sizeof((object).broken_invariant()))
#endif
