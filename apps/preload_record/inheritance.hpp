// The environment of a program that is about to be started: it must carry the recorder, also when the caller composed it anew.
#pragma once

#include <cstddef>
#include <string_view>

namespace heapwright::preload {

/// Remembers what this process was started with. `options`: the text of HEAPWRIGHT_RECORD, or nullptr.
///
/// Requires: called once, before any Inheritance is made.
void remember_inheritance(const char* options, bool children) noexcept;

/// Two steps, so that the caller can provide the memory: measure, then write.
class Inheritance {
public:
    explicit Inheritance(char* const* environment) noexcept;

    /// Whether the environment lacks anything. False: pass it on as it is.
    [[nodiscard]] bool is_needed() const noexcept { return lacks_library_ || lacks_options_; }
    [[nodiscard]] std::size_t pointers() const noexcept { return count_ + 3; }
    [[nodiscard]] std::size_t text_bytes() const noexcept { return text_bytes_; }

    /// Requires: room for pointers() and text_bytes().
    void write(char** pointers, char* text) const noexcept;

private:
    char* const* environment_;
    std::size_t count_ = 0;
    std::size_t library_at_ = 0;  // where LD_PRELOAD stands; count_: nowhere
    std::size_t text_bytes_ = 0;
    bool lacks_library_ = false;
    bool lacks_options_ = false;
};

}  // namespace heapwright::preload
