// Proves that an image can be walked safely, whatever its bytes are, before anybody walks it.
//
// From the root, every reference must lead to a whole, aligned value of its type within the payload, and every value is checked
// in turn. Values may overlap in a crafted file: that harms nobody, as long as what stands there is checked as every type that it
// is used as. A bit for each type and place keeps cycles and shared values from being checked twice; rows, which have no bits,
// are charged to a budget. The stack is a list of what is still to do, so depth is bounded by memory and not by the call stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/image/detail/check_memory.hpp>
#include <heapwright/own/image/detail/format.hpp>
#include <heapwright/own/image/fault.hpp>
#include <heapwright/own/image/schema.hpp>

namespace heapwright::detail {

template <class T>
[[nodiscard]] consteval bool any_bytes_will_do();
template <auto... Pointers>
[[nodiscard]] consteval bool all_members_plain(ImageMembers<Pointers...>) {
    return (any_bytes_will_do<MemberType<Pointers>>() && ...);
}
/// Whether every sequence of bytes is a T.
template <class T>
[[nodiscard]] consteval bool any_bytes_will_do() {
    if constexpr (kKindOf<T> == ImageKind::structure) {
        return all_members_plain(typename MembersOf<T>::Type{});
    } else if constexpr (kKindOf<T> == ImageKind::array) {
        return any_bytes_will_do<typename ElementOf<T>::Type>();
    } else {
        return kKindOf<T> == ImageKind::number;
    }
}

template <class T>
[[nodiscard]] consteval bool is_flat();
template <auto... Pointers>
[[nodiscard]] consteval bool all_members_flat(ImageMembers<Pointers...>) {
    return (is_flat<MemberType<Pointers>>() && ...);
}
/// Whether checking a T leads to no other value: only bounds of texts and rows of plain values are looked at.
template <class T>
[[nodiscard]] consteval bool is_flat() {
    if constexpr (kKindOf<T> == ImageKind::structure) {
        return all_members_flat(typename MembersOf<T>::Type{});
    } else if constexpr (kKindOf<T> == ImageKind::array) {
        return is_flat<typename ElementOf<T>::Type>();
    } else if constexpr (kKindOf<T> == ImageKind::reference) {
        return any_bytes_will_do<typename T::element_type>();
    } else if constexpr (kKindOf<T> == ImageKind::row) {
        return any_bytes_will_do<typename T::value_type>();
    } else {
        return kKindOf<T> != ImageKind::map;
    }
}

/// Types that values to be checked later may have.
template <class... Ts>
struct TypeList {
    static constexpr std::size_t kSize = sizeof...(Ts);
    template <class T>
    static constexpr bool kHas = (std::is_same_v<T, Ts> || ...);
    template <class T>
    [[nodiscard]] static consteval std::uint32_t index_of() {
        std::uint32_t index = 0;
        std::uint32_t found = 0;
        ((found = std::is_same_v<T, Ts> ? index : found, ++index), ...);
        return found;
    }
};

template <class T, class... Ts>
[[nodiscard]] consteval auto collect(TypeList<Ts...> list);
template <class T, class... Ts>
[[nodiscard]] consteval auto collect_target(TypeList<Ts...> list) {
    if constexpr (is_flat<T>() || TypeList<Ts...>::template kHas<T>) {
        return list;
    } else {
        return collect<T>(TypeList<Ts..., T>{});
    }
}
template <class List>
[[nodiscard]] consteval auto collect_members(List list, ImageMembers<>) {
    return list;
}
template <class List, auto First, auto... Rest>
[[nodiscard]] consteval auto collect_members(List list, ImageMembers<First, Rest...>) {
    return collect_members(collect<MemberType<First>>(list), ImageMembers<Rest...>{});
}
template <class T, class... Ts>
[[nodiscard]] consteval auto collect(TypeList<Ts...> list) {
    if constexpr (kKindOf<T> == ImageKind::reference) {
        return collect_target<typename T::element_type>(list);
    } else if constexpr (kKindOf<T> == ImageKind::row) {
        return collect_target<typename T::value_type>(list);
    } else if constexpr (kKindOf<T> == ImageKind::map) {
        return collect_target<typename T::Entry>(list);
    } else if constexpr (kKindOf<T> == ImageKind::array) {
        return collect<typename ElementOf<T>::Type>(list);
    } else if constexpr (kKindOf<T> == ImageKind::structure) {
        return collect_members(list, typename MembersOf<T>::Type{});
    } else {
        return list;
    }
}

/// One check of one payload from one root type.
template <class Root>
class ImageChecker {
public:
    explicit ImageChecker(std::span<const std::byte> payload) noexcept
        : begin_(reinterpret_cast<std::uintptr_t>(payload.data())),
          size_(payload.size()),
          budget_(payload.size() < kBudgetLimit ? payload.size() * kRowShare + kImageBlockBytes : UINT64_MAX) {}

    /// Fails:    damaged_data with an ImageFault and the file offset; out_of_memory for what it keeps in mind.
    [[nodiscard]] Result<void> check() noexcept {
        if (size_ < sizeof(Root)) {
            return fail_with(ImageFault::wrong_length, Errc::damaged_data, size_ + kImageHeaderBytes);
        }
        if (!value(*reinterpret_cast<const Root*>(begin_)) || !drain()) {
            return std::unexpected(error_);
        }
        return {};
    }

private:
    using Types = decltype(collect<Root>(TypeList<>{}));
    // A row may be part of others: the whole payload is looked at up to eight times.
    static constexpr std::uint64_t kRowShare = 8;
    static constexpr std::uint64_t kBudgetLimit = std::uint64_t{1} << 60;
    using Run = bool (*)(ImageChecker&, CheckFrame&) noexcept;

    template <class... Ts>
    [[nodiscard]] static constexpr auto runs_of(TypeList<Ts...>) {
        struct Table {
            Run runs[sizeof...(Ts) + 1];
        };
        return Table{{&ImageChecker::run<Ts>..., nullptr}};
    }

    [[nodiscard]] bool drain() noexcept {
        static constexpr auto kTable = runs_of(Types{});
        while (CheckFrame* const top = stack_.top()) {
            // One value at a time: what it leads to is done before its neighbour, so that the stack stays short.
            CheckFrame one{.at = top->at, .count = 1, .type = top->type};
            const Run act = kTable.runs[top->type];
            if (--top->count == 0) {
                stack_.pop();
            } else {
                top->at += type_bytes(top->type);
            }
            if (!act(*this, one)) {
                return false;
            }
        }
        return true;
    }
    template <class... Ts>
    [[nodiscard]] static constexpr auto bytes_of(TypeList<Ts...>) {
        struct Table {
            std::size_t bytes[sizeof...(Ts) + 1];
        };
        return Table{{sizeof(Ts)..., 0}};
    }
    [[nodiscard]] static std::size_t type_bytes(std::uint32_t type) noexcept {
        static constexpr auto kTable = bytes_of(Types{});
        return kTable.bytes[type];
    }
    template <class T>
    [[nodiscard]] static bool run(ImageChecker& checker, CheckFrame& frame) noexcept {
        return checker.value(*reinterpret_cast<const T*>(frame.at));
    }

    template <class T>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool value(const T& value) noexcept {
        constexpr ImageKind kKind = kKindOf<T>;
        if constexpr (any_bytes_will_do<T>()) {
            return true;
        } else if constexpr (kKind == ImageKind::truth) {
            unsigned char byte = 0;
            std::memcpy(&byte, &value, 1);
            return HEAPWRIGHT_LIKELY(byte <= 1) || refuse(&value);
        } else if constexpr (kKind == ImageKind::text) {
            return HEAPWRIGHT_LIKELY(value.is_inline() || is_inside(value.data(), value.size(), 1)) || refuse(&value);
        } else if constexpr (kKind == ImageKind::reference) {
            return reference(value);
        } else if constexpr (kKind == ImageKind::row) {
            return row(value);
        } else if constexpr (kKind == ImageKind::map) {
            return map(value);
        } else if constexpr (kKind == ImageKind::array) {
            for (const auto& element : value) {
                if (!this->value(element)) {
                    return false;
                }
            }
            return true;
        } else {
            return members(value, typename MembersOf<T>::Type{});
        }
    }
    template <class T, auto... Pointers>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool members(const T& value, ImageMembers<Pointers...>) noexcept {
        return (this->value(value.*Pointers) && ...);
    }

    template <class T>
    [[nodiscard]] bool reference(const ImageRef<T>& reference) noexcept {
        const T* const target = reference.get();
        if (target == nullptr) {
            return true;
        }
        if (!is_inside(target, sizeof(T), alignof(T))) {
            return refuse(&reference);
        }
        if constexpr (is_flat<T>()) {
            return value(*target);
        } else {
            const auto at = reinterpret_cast<std::uintptr_t>(target);
            constexpr std::uint32_t kType = Types::template index_of<T>();
            switch (seen_.mark(kType, (at - begin_) / alignof(T), size_ / alignof(T) + 1)) {
                case CheckMarks::Mark::seen: return true;
                case CheckMarks::Mark::refused: return out_of_memory();
                case CheckMarks::Mark::fresh: break;
            }
            return stack_.push({.at = at, .count = 1, .type = kType}) || out_of_memory();
        }
    }

    template <class T>
    [[nodiscard]] bool row(const ImageVector<T>& row) noexcept {
        if (row.empty()) {
            return true;
        }
        if (row.size() > size_ / sizeof(T) || !is_inside(row.data(), row.size() * sizeof(T), alignof(T))) {
            return refuse(&row);
        }
        if constexpr (any_bytes_will_do<T>()) {
            return true;
        } else if (!pay(row.size() * sizeof(T))) {
            return refuse(&row, ImageFault::too_entangled);
        } else if constexpr (is_flat<T>()) {
            for (const T& element : row) {
                if (!value(element)) {
                    return false;
                }
            }
            return true;
        } else {
            constexpr std::uint32_t kType = Types::template index_of<T>();
            return stack_.push({.at = reinterpret_cast<std::uintptr_t>(row.data()), .count = row.size(), .type = kType}) || out_of_memory();
        }
    }

    template <class K, class V>
    [[nodiscard]] bool map(const ImageMap<K, V>& map) noexcept {
        const auto& entries = map.entries();
        if (entries.empty()) {
            return true;
        }
        using Entry = ImageEntry<K, V>;
        if (entries.size() > size_ / sizeof(Entry) || !is_inside(entries.data(), entries.size() * sizeof(Entry), alignof(Entry))) {
            return refuse(&map);
        }
        if (!pay(entries.size() * sizeof(Entry))) {
            return refuse(&map, ImageFault::too_entangled);
        }
        const Entry* before = nullptr;
        for (const Entry& entry : entries) {
            if (!value(entry.key)) {
                return false;
            }
            if (before != nullptr && compare_keys(before->key, entry.key) >= 0) {
                return refuse(&map, ImageFault::map_not_sorted);
            }
            before = &entry;
        }
        return any_bytes_will_do<V>() || row(entries);
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_inside(const void* start, std::size_t bytes, std::size_t alignment) const noexcept {
        // Below the beginning wraps to far above the end. Alignment of the payload itself is that of the mapping.
        const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(start) - begin_;
        return offset <= size_ && bytes <= size_ - offset && (reinterpret_cast<std::uintptr_t>(start) & (alignment - 1)) == 0;
    }
    [[nodiscard]] bool pay(std::uint64_t bytes) noexcept {
        if (bytes > budget_) {
            return false;
        }
        budget_ -= bytes;
        return true;
    }
    [[nodiscard]] HEAPWRIGHT_COLD bool refuse(const void* culprit, ImageFault fault = ImageFault::wrong_reference) noexcept {
        error_ = fail_with(fault, Errc::damaged_data, reinterpret_cast<std::uintptr_t>(culprit) - begin_ + kImageHeaderBytes).error();
        return false;
    }
    [[nodiscard]] HEAPWRIGHT_COLD bool out_of_memory() noexcept {
        error_ = Error{.kind = Errc::out_of_memory, .number = stack_.bytes()};
        return false;
    }

    std::uintptr_t begin_;
    std::uint64_t size_;
    std::uint64_t budget_;
    CheckStack stack_;
    CheckMarks seen_;
    Error error_{};
    static_assert(Types::kSize <= CheckMarks::kTypesMax, "an image has at most 64 types of structs that lead to others");
};

}  // namespace heapwright::detail
