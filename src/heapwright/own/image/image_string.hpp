// Text in an image: 16 bytes, in which up to 12 letters stand themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <heapwright/own/image/image_ref.hpp>

namespace heapwright {

/// Letters of the same image, without a closing zero. Memory that is all zero is the empty text.
///
///   12 letters or fewer  │ length │ letters                    │
///   more                 │ length │ the first 4 │ distance to all of them, from here │
///
/// Set by ImageWriter::set.
class alignas(8) ImageString {
public:
    static constexpr std::size_t kInlineMax = 12;

    ImageString() noexcept = default;
    ImageString(const ImageString& other) noexcept { copy(other); }
    ImageString& operator=(const ImageString& other) noexcept {
        if (this != &other) {
            copy(other);
        }
        return *this;
    }
    ~ImageString() = default;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] const char* data() const noexcept { return is_inline() ? letters_ : far_letters(); }
    [[nodiscard]] std::string_view view() const noexcept { return {data(), size_}; }
    operator std::string_view() const noexcept { return view(); }  // a view is what it is for

    /// Below zero, zero, above zero: as texts of unsigned bytes are ordered. The first four letters usually decide.
    [[nodiscard]] int compare(std::string_view other) const noexcept {
        const std::size_t near = size_ < other.size() ? size_ : other.size();
        // NOLINTBEGIN(bugprone-suspicious-stringview-data-usage): lengths are compared by themselves
        const int start = std::memcmp(letters_, other.data(), near < kStart ? near : kStart);
        if (start != 0 || near <= kStart) {
            return start != 0 ? start : order(size_, other.size());
        }
        const int rest = std::memcmp(data() + kStart, other.data() + kStart, near - kStart);
        // NOLINTEND(bugprone-suspicious-stringview-data-usage)
        return rest != 0 ? rest : order(size_, other.size());
    }
    friend bool operator==(const ImageString& a, std::string_view b) noexcept { return a.size_ == b.size() && a.compare(b) == 0; }
    friend bool operator==(const ImageString& a, const ImageString& b) noexcept { return a == b.view(); }

    /// Becomes the letters of `text`, which stay where they are unless they fit in here.
    ///
    /// Requires: the text is in the same image, or at most kInlineMax long; at most 2^32 - 1 (checked by the writer).
    void refer_to(std::string_view text) noexcept {
        size_ = static_cast<std::uint32_t>(text.size());
        std::memset(letters_, 0, sizeof(letters_));
        if (is_inline()) {
            std::memcpy(letters_, text.data(), text.size());
        } else {
            std::memcpy(letters_, text.data(), kStart);
            set_distance(text.data());  // NOLINT(bugprone-suspicious-stringview-data-usage): its length is kept in size_
        }
    }

    /// Whether the letters stand in here, and so cannot be anywhere they should not.
    [[nodiscard]] bool is_inline() const noexcept { return size_ <= kInlineMax; }

private:
    static constexpr std::size_t kStart = 4;

    [[nodiscard]] static int order(std::size_t a, std::size_t b) noexcept { return static_cast<int>(b < a) - static_cast<int>(a < b); }
    [[nodiscard]] const char* far_letters() const noexcept {
        std::int64_t distance = 0;
        std::memcpy(&distance, letters_ + kStart, sizeof(distance));
        return detail::at_distance<char>(this, distance);
    }
    void set_distance(const char* letters) noexcept {
        const std::int64_t distance = detail::distance_between(this, letters);
        std::memcpy(letters_ + kStart, &distance, sizeof(distance));
    }
    void copy(const ImageString& other) noexcept {
        size_ = other.size_;
        std::memcpy(letters_, other.letters_, sizeof(letters_));
        if (!is_inline()) {
            set_distance(other.data());
        }
    }

    std::uint32_t size_ = 0;
    char letters_[kInlineMax] = {};
};
static_assert(sizeof(ImageString) == 16 && alignof(ImageString) == 8);

}  // namespace heapwright
