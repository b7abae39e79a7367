// Runs code that must die, in a child process, and brings back its last words.
//
// Example:
//     const auto death = test::death_of([] { HEAPWRIGHT_CHECK(1 + 1 == 3, "sums must add up"); });
//     CHECK(death.died);
//     CHECK(death.last_words.starts_with("heapwright: sums must add up (1 + 1 == 3) at "));
#pragma once

#include <functional>
#include <string>

namespace heapwright::test {

struct Death {
    bool died = false;       // by a signal, or under a sanitizer by its exit
    int signal = 0;          // 0 when a sanitizer ended the process
    int exit_status = 0;     // meaningful when signal is 0
    std::string last_words;  // all it wrote to stderr
};

/// Runs `act` in a child of fork(); the child exits with 0 if act returns.
[[nodiscard]] Death death_of(const std::function<void()>& act);

/// Whether the sentence of a failed check stands anywhere in the last words.
[[nodiscard]] inline bool said(const Death& death, const std::string& sentence) {
    return death.last_words.find(sentence) != std::string::npos;
}

}  // namespace heapwright::test
