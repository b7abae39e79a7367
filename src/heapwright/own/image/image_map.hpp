// Values by key in an image: entries in ascending order of their keys.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

#include <heapwright/own/image/image_string.hpp>
#include <heapwright/own/image/image_vector.hpp>

namespace heapwright {

/// What can be looked for: texts and whole numbers.
template <class K>
concept ImageKey = std::same_as<K, ImageString> || (std::integral<K> && !std::same_as<K, bool>);

template <ImageKey K, class V>
struct ImageEntry {
    K key;
    V value;
};

namespace detail {

[[nodiscard]] inline int compare_keys(const ImageString& a, std::string_view b) noexcept { return a.compare(b); }
template <std::integral K>
[[nodiscard]] constexpr int compare_keys(K a, K b) noexcept {
    return static_cast<int>(b < a) - static_cast<int>(a < b);
}
template <ImageKey K>
using KeyView = std::conditional_t<std::same_as<K, ImageString>, std::string_view, K>;

}  // namespace detail

/// Entries in ascending order, each key once. 16 bytes. Made by ImageWriter::make_map and ImageWriter::sort; an image whose entries
/// are in another order is refused when it is opened.
template <ImageKey K, class V>
class ImageMap {
public:
    using Entry = ImageEntry<K, V>;
    using key_type = K;
    using mapped_type = V;

    /// The value of this key; nullptr when there is none.
    ///
    /// Cost:     O(log size).
    [[nodiscard]] const V* find(detail::KeyView<K> key) const noexcept {
        const Entry* first = entries_.data();
        for (std::size_t count = entries_.size(); count > 0;) {
            const std::size_t half = count / 2;
            const int order = detail::compare_keys(first[half].key, key);
            if (order == 0) {
                return &first[half].value;
            }
            first += order < 0 ? half + 1 : 0;
            count = order < 0 ? count - half - 1 : half;
        }
        return nullptr;
    }
    [[nodiscard]] bool contains(detail::KeyView<K> key) const noexcept { return find(key) != nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] const Entry* begin() const noexcept { return entries_.begin(); }
    [[nodiscard]] const Entry* end() const noexcept { return entries_.end(); }
    [[nodiscard]] const ImageVector<Entry>& entries() const noexcept { return entries_; }

    /// As ImageVector::refer_to.
    void refer_to(std::span<const Entry> entries) noexcept { entries_.refer_to(entries); }

private:
    ImageVector<Entry> entries_;
};

}  // namespace heapwright
