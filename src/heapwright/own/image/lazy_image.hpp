// An image of which each value is checked when it is asked for: for a few answers from a file too large to check whole.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <heapwright/base/error.hpp>
#include <heapwright/own/image/detail/checker.hpp>
#include <heapwright/own/image/detail/verified_blocks.hpp>
#include <heapwright/own/image/image_file.hpp>
#include <heapwright/own/image/schema.hpp>

namespace heapwright {

template <class T>
class LazyValue;
template <class T>
class LazyRow;

namespace detail {

/// Bounds and checksums of one image, asked by everything that looks into it.
class LazyPayload {
public:
    LazyPayload(ImageFile file, VerifiedBlocks verified) noexcept : file_(std::move(file)), verified_(std::move(verified)) {}

    /// That `count` whole, aligned values of this size are in the payload, in blocks whose checksums fit.
    [[nodiscard]] Result<void> allow(const void* start, std::uint64_t count, std::size_t bytes, std::size_t alignment) const noexcept {
        const std::uint64_t size = file_.payload().size();
        const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(start) - reinterpret_cast<std::uintptr_t>(file_.payload().data());
        if (offset > size || count > (size - offset) / bytes || (reinterpret_cast<std::uintptr_t>(start) & (alignment - 1)) != 0) {
            return fail_with(ImageFault::wrong_reference, Errc::damaged_data, offset + kImageHeaderBytes);
        }
        return count == 0 ? Result<void>{} : verified_.verify(file_, offset, offset + count * bytes);
    }
    [[nodiscard]] const ImageFile& file() const noexcept { return file_; }
    [[nodiscard]] std::uint64_t verified_blocks() const noexcept { return verified_.count(); }

private:
    ImageFile file_;
    VerifiedBlocks verified_;
};

/// What a member reads as when nothing of it may be trusted: numbers as they are, everything that leads elsewhere behind a check.
template <class T>
struct LazyMember;

}  // namespace detail

/// One value, in bounds. Members are asked for by name, and what they lead to is checked then.
///
/// Example:  `auto mother = person.get<&Person::mother>(); if (mother) { auto age = mother->get<&Person::age>(); }`
template <class T>
class LazyValue {
public:
    LazyValue(const detail::LazyPayload& payload, const T& value) noexcept : payload_(&payload), value_(&value) {}

    /// A number or a struct inside this one as it is; Result<std::string_view>, Result<LazyValue>, Result<LazyRow> for what leads
    /// elsewhere. A reference to nothing fails with not_found.
    template <auto Pointer>
    [[nodiscard]] auto get() const noexcept {
        return detail::LazyMember<detail::MemberType<Pointer>>::get(*payload_, value_->*Pointer);
    }
    /// What the value itself reads as, as a member would.
    [[nodiscard]] auto read() const noexcept { return detail::LazyMember<T>::get(*payload_, *value_); }

private:
    const detail::LazyPayload* payload_;
    const T* value_;
};

/// Values in a row, all in bounds.
template <class T>
class LazyRow {
public:
    LazyRow(const detail::LazyPayload& payload, std::span<const T> values) noexcept : payload_(&payload), values_(values) {}
    [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
    /// As LazyValue::get.
    ///
    /// Requires: index < size() (checked).
    [[nodiscard]] auto operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_CHECK(index < values_.size(), "this row has no value at the index");
        return detail::LazyMember<T>::get(*payload_, values_.data()[index]);
    }

private:
    const detail::LazyPayload* payload_;
    std::span<const T> values_;
};

/// Entries of a map, all in bounds; whether they are sorted is not known: a crafted map may fail to find what it has.
template <class K, class V>
class LazyMap {
public:
    using Entry = ImageEntry<K, V>;
    LazyMap(const detail::LazyPayload& payload, std::span<const Entry> entries) noexcept : payload_(&payload), entries_(entries) {}
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

    /// The value of this key.
    ///
    /// Fails:    not_found; damaged_data when a key on the way leads out of the image.
    [[nodiscard]] Result<LazyValue<V>> find(detail::KeyView<K> key) const noexcept {
        const Entry* first = entries_.data();
        for (std::size_t count = entries_.size(); count > 0;) {
            const std::size_t half = count / 2;
            if constexpr (std::is_same_v<K, ImageString>) {
                const auto letters = detail::LazyMember<K>::get(*payload_, first[half].key);
                if (!letters) {
                    return std::unexpected(letters.error());
                }
            }
            const int order = detail::compare_keys(first[half].key, key);
            if (order == 0) {
                return LazyValue<V>(*payload_, first[half].value);
            }
            first += order < 0 ? half + 1 : 0;
            count = order < 0 ? count - half - 1 : half;
        }
        return fail_with(Errc::not_found);
    }

private:
    const detail::LazyPayload* payload_;
    std::span<const Entry> entries_;
};

namespace detail {

template <class T>
struct LazyMember {
    /// bool is read as the byte it is: anything but zero is true.
    [[nodiscard]] static auto get(const LazyPayload& payload, const T& member) noexcept {
        constexpr ImageKind kKind = kKindOf<T>;
        if constexpr (kKind == ImageKind::truth) {
            unsigned char byte = 0;
            std::memcpy(&byte, &member, 1);
            return byte != 0;
        } else if constexpr (kKind == ImageKind::number) {
            return member;
        } else if constexpr (kKind == ImageKind::array) {
            return LazyRow<typename ElementOf<T>::Type>(payload, std::span(member));
        } else {
            static_assert(kKind == ImageKind::structure);
            return LazyValue<T>(payload, member);
        }
    }
};
template <>
struct LazyMember<ImageString> {
    [[nodiscard]] static Result<std::string_view> get(const LazyPayload& payload, const ImageString& text) noexcept {
        if (!text.is_inline()) {
            if (const auto fine = payload.allow(text.data(), text.size(), 1, 1); !fine) {
                return std::unexpected(fine.error());
            }
        }
        return text.view();
    }
};
template <class T>
struct LazyMember<ImageRef<T>> {
    [[nodiscard]] static Result<LazyValue<T>> get(const LazyPayload& payload, const ImageRef<T>& reference) noexcept {
        const T* const target = reference.get();
        if (target == nullptr) {
            return fail_with(Errc::not_found);
        }
        if (const auto fine = payload.allow(target, 1, sizeof(T), alignof(T)); !fine) {
            return std::unexpected(fine.error());
        }
        return LazyValue<T>(payload, *target);
    }
};
template <class T>
struct LazyMember<ImageVector<T>> {
    [[nodiscard]] static Result<LazyRow<T>> get(const LazyPayload& payload, const ImageVector<T>& row) noexcept {
        if (row.empty()) {
            return LazyRow<T>(payload, {});
        }
        if (const auto fine = payload.allow(row.data(), row.size(), sizeof(T), alignof(T)); !fine) {
            return std::unexpected(fine.error());
        }
        return LazyRow<T>(payload, row.span());
    }
};
template <class K, class V>
struct LazyMember<ImageMap<K, V>> {
    [[nodiscard]] static Result<LazyMap<K, V>> get(const LazyPayload& payload, const ImageMap<K, V>& map) noexcept {
        using Entry = ImageEntry<K, V>;
        const auto& entries = map.entries();
        if (entries.empty()) {
            return LazyMap<K, V>(payload, {});
        }
        if (const auto fine = payload.allow(entries.data(), entries.size(), sizeof(Entry), alignof(Entry)); !fine) {
            return std::unexpected(fine.error());
        }
        return LazyMap<K, V>(payload, entries.span());
    }
};

}  // namespace detail

/// Opening looks at the header alone; each block's checksum is compared when something in it is first asked for.
///
/// A row's blocks are compared when the row is asked for, whole. The image must outlive what it answers with.
/// Thread safety: any number of readers.
template <class Root>
class LazyImage {
public:
    static constexpr std::uint64_t kSchema = kImageSchema<Root>;

    /// `options.verify`: whether checksums are compared at all.
    ///
    /// Fails:    as Image::open, but for damage that nobody has looked at yet.
    [[nodiscard]] static Result<LazyImage> open(const char* path, ImageOptions options) noexcept {
        auto file = ImageFile::open(path, options.load);
        return file ? make(std::move(*file), options) : std::unexpected(file.error());
    }
    [[nodiscard]] static Result<LazyImage> from_bytes(std::span<const std::byte> bytes, ImageOptions options) noexcept {
        auto file = ImageFile::from_bytes(bytes);
        return file ? make(std::move(*file), options) : std::unexpected(file.error());
    }

    /// Fails:    damaged_data when the root's own blocks are damaged.
    [[nodiscard]] Result<LazyValue<Root>> root() const noexcept {
        const void* const start = payload_.file().payload().data();
        if (const auto fine = payload_.allow(start, 1, sizeof(Root), alignof(Root)); !fine) {
            return std::unexpected(fine.error());
        }
        return LazyValue<Root>(payload_, *static_cast<const Root*>(start));
    }
    /// Blocks of 64 KiB whose checksums were compared so far.
    [[nodiscard]] std::uint64_t verified_blocks() const noexcept { return payload_.verified_blocks(); }

private:
    explicit LazyImage(detail::LazyPayload payload) noexcept : payload_(std::move(payload)) {}

    [[nodiscard]] static Result<LazyImage> make(ImageFile file, ImageOptions options) noexcept {
        if (const auto fine = file.expect(kSchema, options.version); !fine) {
            return std::unexpected(fine.error());
        }
        auto verified = detail::VerifiedBlocks::make(file, options.verify == ImageVerify::all);
        if (!verified) {
            return std::unexpected(verified.error());
        }
        return LazyImage(detail::LazyPayload(std::move(file), std::move(*verified)));
    }

    detail::LazyPayload payload_;
};

}  // namespace heapwright
