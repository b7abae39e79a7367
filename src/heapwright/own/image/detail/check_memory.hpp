// What a check of an image keeps in mind: values still to look at, and places already seen.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright::detail {

/// `count` values of a type in a row.
struct CheckFrame {
    std::uintptr_t at;
    std::uint64_t count;
    std::uint32_t type;
};

/// Frames, the newest first. Grows in whole OS pages.
class CheckStack {
public:
    CheckStack() noexcept = default;
    CheckStack(const CheckStack&) = delete;
    CheckStack& operator=(const CheckStack&) = delete;
    ~CheckStack();

    /// False when there is no memory.
    [[nodiscard]] bool push(CheckFrame frame) noexcept {
        if (used_ == room_ && !grow()) {
            return false;
        }
        frames_[used_++] = frame;
        return true;
    }
    /// nullptr when nothing is left to do.
    [[nodiscard]] CheckFrame* top() noexcept { return used_ == 0 ? nullptr : &frames_[used_ - 1]; }
    void pop() noexcept { --used_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return room_ * sizeof(CheckFrame); }

private:
    [[nodiscard]] bool grow() noexcept;

    CheckFrame* frames_ = nullptr;
    std::size_t used_ = 0;
    std::size_t room_ = 0;
};

/// A bit for each place of each type, made when the first place of a type is seen. Pages that nobody marks take no memory.
class CheckMarks {
public:
    static constexpr std::size_t kTypesMax = 64;
    enum class Mark : std::uint8_t { fresh, seen, refused };

    CheckMarks() noexcept = default;
    CheckMarks(const CheckMarks&) = delete;
    CheckMarks& operator=(const CheckMarks&) = delete;
    ~CheckMarks();

    /// Marks place `place` of `places`, the same number at each call for a type. `refused` when there is no memory.
    [[nodiscard]] Mark mark(std::uint32_t type, std::uint64_t place, std::uint64_t places) noexcept {
        std::uint64_t* const words = words_[type] != nullptr ? words_[type] : make(type, places);
        if (words == nullptr) {
            return Mark::refused;
        }
        const std::uint64_t bit = std::uint64_t{1} << (place % 64);
        if ((words[place / 64] & bit) != 0) {
            return Mark::seen;
        }
        words[place / 64] |= bit;
        return Mark::fresh;
    }

private:
    [[nodiscard]] std::uint64_t* make(std::uint32_t type, std::uint64_t places) noexcept;

    std::uint64_t* words_[kTypesMax] = {};
    std::size_t bytes_[kTypesMax] = {};
};

}  // namespace heapwright::detail
