// MovableString: text that may move.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include <heapwright/own/handle/vector.hpp>

namespace heapwright {

/// Letters in a heap of movable objects, always with a zero behind them; sixteen bytes that may be moved as bytes.
///
/// Thread safety: one thread at a time, as any owner.
/// Example:
///     MovableString name;
///     if (!name.assign(heap, "Ada")) { ... }
///     const Borrow borrow(heap);
///     std::string_view seen = name.in(borrow);     // while the Borrow is held
class [[nodiscard]] MovableString {
public:
    static constexpr bool trivially_relocatable = true;  // NOLINT(readability-identifier-naming): as users write it

    constexpr MovableString() noexcept = default;

    /// Requires: as MovableVector::in.
    [[nodiscard]] std::string_view in(const Borrow& borrow) const noexcept {
        const std::span<char> letters = letters_.in(borrow);
        return letters.empty() ? std::string_view() : std::string_view(letters.data(), letters.size() - 1);
    }
    /// The same with a zero behind it. Never nullptr.
    [[nodiscard]] const char* c_str(const Borrow& borrow) const noexcept {
        const std::span<char> letters = letters_.in(borrow);
        return letters.empty() ? "" : letters.data();
    }
    /// Holds the letters, and the zero, where they are.
    [[nodiscard]] PinnedSpan<char> pin() const noexcept { return letters_.pin(); }

    [[nodiscard]] std::size_t size() const noexcept {
        const std::size_t with_zero = letters_.size();
        return with_zero == 0 ? 0 : with_zero - 1;
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    /// `text` must not lie in the string itself. Fails: as make_handle(); then it is unchanged.
    [[nodiscard]] Result<void> assign(MovableHeap& heap, std::string_view text) {
        MovableString made;
        if (const auto done = made.append(heap, text); !done) {
            return done;
        }
        letters_ = std::move(made.letters_);
        return {};
    }
    /// As assign.
    [[nodiscard]] Result<void> append(MovableHeap& heap, std::string_view text) {
        if (text.empty()) {
            return {};
        }
        const std::size_t before = size();
        const std::size_t wanted = before + text.size() + 1;
        if (wanted > letters_.capacity()) {
            if (const auto room = letters_.reserve(heap, std::max(wanted, before + before / 2)); !room) {
                return room;
            }
        }
        letters_.truncate(before);
        // The room is there already: what follows cannot fail.
        const auto added = letters_.append(heap, std::span<const char>(text));
        return added ? letters_.push_back(heap, '\0') : added;
    }
    void clear() noexcept { letters_.reset(); }

private:
    MovableVector<char> letters_;
};

}  // namespace heapwright
