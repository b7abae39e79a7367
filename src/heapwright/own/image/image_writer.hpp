// Builds an image: values of described types in an arena, which then becomes a file that can be mapped back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/image/detail/checker.hpp>
#include <heapwright/own/image/image_arena.hpp>
#include <heapwright/own/image/schema.hpp>

namespace heapwright {

/// An image under construction, with `Root` as its first value. Values are plain objects at addresses that do not change: fill
/// them in any order, refer to them from anywhere in the image.
///
/// Functions that begin with try_ answer with nullptr, an empty span or false when there is no room; the others stop the program.
/// Thread safety: one thread at a time.
/// Example:  `ImageWriter<World> writer; writer.set(writer.root().name, "Earth"); writer.save("world.img", 1);`
template <class Root>
class ImageWriter {
public:
    static constexpr std::uint64_t kSchema = kImageSchema<Root>;

    /// `limit_bytes`: of the whole image; addresses are reserved for it, memory is not.
    explicit ImageWriter(std::size_t limit_bytes = ImageArena::kDefaultLimitBytes) noexcept
        : arena_(limit_bytes), root_(try_make<Root>()) {}

    /// Requires: the limit has room for a Root (checked).
    [[nodiscard]] Root& root() noexcept {
        HEAPWRIGHT_CHECK(root_ != nullptr, "the image's limit has no room for its root");
        return *root_;
    }

    /// A value in the image, to be filled and referred to.
    template <class T, class... Arguments>
    [[nodiscard]] T* try_make(Arguments&&... arguments) noexcept {
        static_assert(kImageSchema<T> != 0);
        void* const place = arena_.try_allocate(Layout::of<T>());
        return place == nullptr ? nullptr : std::construct_at(static_cast<T*>(place), std::forward<Arguments>(arguments)...);
    }
    template <class T, class... Arguments>
    [[nodiscard]] T& make(Arguments&&... arguments) noexcept {
        T* const made = try_make<T>(std::forward<Arguments>(arguments)...);
        HEAPWRIGHT_CHECK(made != nullptr, "an image has no room left; call try_make to go on without");
        return *made;
    }

    /// Copies the letters into the image, unless they fit into the ImageString itself.
    ///
    /// Requires: at most 2^32 - 1 letters, else it answers with false.
    [[nodiscard]] bool try_set(ImageString& text, std::string_view letters) noexcept {
        if (letters.size() > ImageString::kInlineMax) {
            void* const place = letters.size() > UINT32_MAX ? nullptr : arena_.try_allocate({.size = letters.size(), .alignment = 1});
            if (place == nullptr) {
                return false;
            }
            std::memcpy(place, letters.data(), letters.size());
            letters = {static_cast<const char*>(place), letters.size()};
        }
        text.refer_to(letters);
        return true;
    }
    void set(ImageString& text, std::string_view letters) noexcept {
        HEAPWRIGHT_CHECK(try_set(text, letters), "an image has no room left for a text; call try_set to go on without");
    }

    /// `count` fresh values, which `row` then names. Empty also when there is no room for them.
    template <class T>
    [[nodiscard]] std::span<T> try_make_vector(ImageVector<T>& row, std::size_t count) noexcept {
        const auto layout = Layout::array<T>(count);
        void* const place = layout && count > 0 ? arena_.try_allocate(*layout) : nullptr;
        if (place == nullptr) {
            return {};
        }
        T* const values = static_cast<T*>(place);
        // The arena's memory is zero already, and where zero is all there is to a value it is not touched: rows larger than memory
        // stay holes.
        if constexpr (!std::is_trivially_default_constructible_v<T>) {
            std::uninitialized_value_construct_n(values, count);
        }
        row.refer_to({values, count});
        return {values, count};
    }
    template <class T>
    std::span<T> make_vector(ImageVector<T>& row, std::size_t count) noexcept {
        const std::span<T> values = try_make_vector(row, count);
        HEAPWRIGHT_CHECK(values.size() == count, "an image has no room left for a row; call try_make_vector to go on without");
        return values;
    }
    template <class T>
    [[nodiscard]] bool try_set(ImageVector<T>& row, std::span<const T> values) noexcept {
        const std::span<T> copies = try_make_vector(row, values.size());
        std::copy_n(values.begin(), copies.size(), copies.begin());
        return copies.size() == values.size();
    }
    template <class T>
    void set(ImageVector<T>& row, std::span<const T> values) noexcept {
        HEAPWRIGHT_CHECK(try_set(row, values), "an image has no room left for a row; call try_set to go on without");
    }

    /// `count` fresh entries, to be filled in any order and then put in order by sort().
    template <class K, class V>
    [[nodiscard]] std::span<ImageEntry<K, V>> try_make_map(ImageMap<K, V>& map, std::size_t count) noexcept {
        ImageVector<ImageEntry<K, V>> entries;
        const auto made = try_make_vector(entries, count);
        map.refer_to(made);
        return made;
    }
    template <class K, class V>
    std::span<ImageEntry<K, V>> make_map(ImageMap<K, V>& map, std::size_t count) noexcept {
        const auto entries = try_make_map(map, count);
        HEAPWRIGHT_CHECK(entries.size() == count, "an image has no room left for a map; call try_make_map to go on without");
        return entries;
    }
    /// Puts the entries that make_map gave in order.
    ///
    /// Returns:  false when a key is there twice; such an image is not saved.
    /// Cost:     O(size log size).
    template <class K, class V>
    [[nodiscard]] static bool sort(std::span<ImageEntry<K, V>> entries) noexcept {
        using Entry = ImageEntry<K, V>;
        const auto compare = [](const Entry& a, const Entry& b) { return detail::compare_keys(a.key, b.key); };
        std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) { return compare(a, b) < 0; });
        return std::adjacent_find(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) { return compare(a, b) == 0; }) ==
               entries.end();
    }

    /// Checks the image as whoever opens it will, and writes it. `version` is the program's own: Image::open refuses others.
    ///
    /// Fails:    damaged_data with an ImageFault when something refers to what is not in the image, or a map is not sorted;
    ///           what the first try_ function failed with, if one did; else as ImageArena::write. `path` is as it was then.
    [[nodiscard]] Result<void> save(const char* path, std::uint32_t version) noexcept {
        if (auto fine = check(); !fine) {
            return fine;
        }
        return arena_.write(path, kSchema, version, sizeof(Root));
    }
    /// What save does first.
    [[nodiscard]] Result<void> check() const noexcept {
        if (arena_.has_refused()) {
            return std::unexpected(arena_.refusal());
        }
        return detail::ImageChecker<Root>(arena_.payload()).check();
    }

    /// The memory below, also a source for allocators: what they build is part of the image.
    [[nodiscard]] ImageArena& arena() noexcept { return arena_; }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return arena_.payload().size(); }

private:
    ImageArena arena_;
    Root* root_;
};

}  // namespace heapwright
