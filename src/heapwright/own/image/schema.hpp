// What may stand in an image, how a type says what it is made of, and the number that names a type's shape.
//
//   struct Person {
//       heapwright::ImageString name;
//       std::uint32_t age;
//       heapwright::ImageRef<Person> mother;
//       static constexpr heapwright::ImageMembers<&Person::name, &Person::age, &Person::mother> kImageMembers{};
//   };
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <heapwright/base/bits.hpp>
#include <heapwright/own/image/image_map.hpp>
#include <heapwright/own/image/image_ref.hpp>
#include <heapwright/own/image/image_string.hpp>
#include <heapwright/own/image/image_vector.hpp>

namespace heapwright {

/// The members of a struct, all of them, in their order.
template <auto... Pointers>
struct ImageMembers {};

namespace detail {

/// What a member of an image is.
enum class ImageKind : std::uint8_t { number, truth, text, reference, row, map, array, structure, unknown };

/// Enums with a scope: every number of their underlying type is a value. Of bool only two are, so that one is left out.
template <class T>
[[nodiscard]] consteval bool is_number_enum() {
    if constexpr (std::is_enum_v<T>) {
        return !std::is_convertible_v<T, std::int64_t> && !std::is_same_v<std::underlying_type_t<T>, bool>;
    } else {
        return false;
    }
}

template <class T>
[[nodiscard]] consteval ImageKind kind_of_other() {
    if constexpr (requires { T::kImageMembers; }) {
        return ImageKind::structure;
    } else if constexpr (std::is_same_v<T, bool>) {
        return ImageKind::truth;
    } else if constexpr ((std::is_arithmetic_v<T> && !std::is_same_v<T, long double>) || is_number_enum<T>()) {
        return ImageKind::number;
    } else {
        return ImageKind::unknown;
    }
}

template <class T>
struct ImageKindOf {
    static constexpr ImageKind kKind = kind_of_other<T>();
};
template <>
struct ImageKindOf<ImageString> {
    static constexpr ImageKind kKind = ImageKind::text;
};
template <class T>
struct ImageKindOf<ImageRef<T>> {
    static constexpr ImageKind kKind = ImageKind::reference;
};
template <class T>
struct ImageKindOf<ImageVector<T>> {
    static constexpr ImageKind kKind = ImageKind::row;
};
template <class K, class V>
struct ImageKindOf<ImageMap<K, V>> {
    static constexpr ImageKind kKind = ImageKind::map;
};
template <class T, std::size_t Size>
struct ImageKindOf<std::array<T, Size>> {
    static constexpr ImageKind kKind = ImageKind::array;
};
template <class T, std::size_t Size>
struct ImageKindOf<T[Size]> {
    static constexpr ImageKind kKind = ImageKind::array;
};
template <class K, class V>
struct ImageKindOf<ImageEntry<K, V>> {
    static constexpr ImageKind kKind = ImageKind::structure;
};

template <class T>
inline constexpr ImageKind kKindOf = ImageKindOf<T>::kKind;

template <class Pointer>
struct MemberPointer;
template <class Owner, class Member>
struct MemberPointer<Member Owner::*> {
    using Type = Member;
    using OwnerType = Owner;
};
template <auto Pointer>
using MemberType = typename MemberPointer<std::remove_const_t<decltype(Pointer)>>::Type;

/// The member list of a struct.
template <class T>
struct MembersOf {
    using Type = std::remove_cvref_t<decltype(T::kImageMembers)>;
};
template <class K, class V>
struct MembersOf<ImageEntry<K, V>> {
    using Type = ImageMembers<&ImageEntry<K, V>::key, &ImageEntry<K, V>::value>;
};

template <class T>
struct ElementOf;
template <class T, std::size_t Size>
struct ElementOf<std::array<T, Size>> {
    using Type = T;
    static constexpr std::size_t kSize = Size;
};
template <class T, std::size_t Size>
struct ElementOf<T[Size]> {
    using Type = T;
    static constexpr std::size_t kSize = Size;
};

/// The size of a struct whose members follow each other in this order.
template <auto... Pointers>
[[nodiscard]] consteval std::size_t size_in_order(ImageMembers<Pointers...>) {
    std::size_t end = 0;
    std::size_t strictest = 1;
    ((end = align_up(end, alignof(MemberType<Pointers>)) + sizeof(MemberType<Pointers>),
      strictest = strictest < alignof(MemberType<Pointers>) ? alignof(MemberType<Pointers>) : strictest),
     ...);
    return align_up(end, strictest);
}

/// "age" of &Person::age.
template <auto Pointer>
[[nodiscard]] consteval std::string_view member_name() {
    std::string_view text = __PRETTY_FUNCTION__;
    text.remove_prefix(text.find("Pointer = ") + 10);
    text.remove_suffix(text.size() - text.find_first_of(";]"));
    text.remove_prefix(text.rfind("::") + 2);
    return text;
}

/// A 64-bit number of a sequence of numbers and names.
class SchemaHash {
public:
    consteval void add(std::uint64_t number) {
        for (int byte = 0; byte < 8; ++byte) {
            hash_ = (hash_ ^ (number >> (8 * byte) & 0xFF)) * 0x100000001B3U;
        }
    }
    consteval void add(std::string_view name) {
        add(name.size());
        for (const char letter : name) {
            hash_ = (hash_ ^ static_cast<unsigned char>(letter)) * 0x100000001B3U;
        }
    }
    [[nodiscard]] consteval std::uint64_t value() const { return hash_; }

private:
    std::uint64_t hash_ = 0xCBF29CE484222325U;
};

template <class T, class... Above>
consteval void hash_type(SchemaHash& hash);

template <class... Above, auto... Pointers>
consteval void hash_members(SchemaHash& hash, ImageMembers<Pointers...>) {
    hash.add(sizeof...(Pointers));
    ((hash.add(member_name<Pointers>()), hash_type<MemberType<Pointers>, Above...>(hash)), ...);
}

/// Checks, too, that the type may stand in an image at all.
template <class T, class... Above>
consteval void hash_type(SchemaHash& hash) {
    static_assert(!std::is_pointer_v<T>, "a pointer means nothing in a file; use heapwright::ImageRef<T>");
    constexpr ImageKind kKind = kKindOf<T>;
    static_assert(std::is_pointer_v<T> || kKind != ImageKind::unknown,
                  "an image holds numbers, scoped enums, Image types and structs with a kImageMembers list");
    hash.add(static_cast<std::uint64_t>(kKind));
    // A type within itself is named by how far up it stands.
    std::size_t depth = 0;
    std::size_t found = 0;
    ((++depth, found = found == 0 && std::is_same_v<T, Above> ? depth : found), ...);
    if constexpr ((std::is_same_v<T, Above> || ...)) {
        hash.add(found);
    } else if constexpr (kKind == ImageKind::reference) {
        hash_type<typename T::element_type, Above...>(hash);
    } else if constexpr (kKind == ImageKind::row) {
        hash_type<typename T::value_type, Above...>(hash);
    } else if constexpr (kKind == ImageKind::map) {
        hash_type<typename T::Entry, Above...>(hash);
    } else {
        hash.add(sizeof(T));
        hash.add(alignof(T));
        if constexpr (kKind == ImageKind::number) {
            hash.add((std::is_floating_point_v<T> ? 2U : 0U) + (std::is_integral_v<T> && std::is_signed_v<T> ? 1U : 0U));
        } else if constexpr (kKind == ImageKind::array) {
            hash_type<typename ElementOf<T>::Type, Above...>(hash);
        } else if constexpr (kKind == ImageKind::structure) {
            using Members = typename MembersOf<T>::Type;
            static_assert(std::is_standard_layout_v<T>, "a struct in an image has neither virtual functions nor members in two classes");
            static_assert(size_in_order(Members{}) == sizeof(T), "kImageMembers lists all members of the struct, in their order");
            static_assert(alignof(T) <= 64, "nothing in an image is aligned to more than 64 bytes");
            hash_members<T, Above...>(hash, Members{});
        }
    }
}

template <class T>
[[nodiscard]] consteval std::uint64_t hash_of() {
    SchemaHash hash;
    hash_type<T>(hash);
    return hash.value();
}

}  // namespace detail

/// Names the shape of a type: kinds, sizes, order and names of all that can be reached from it. Another shape, another number,
/// whatever compiler asks.
template <class T>
inline constexpr std::uint64_t kImageSchema = detail::hash_of<T>();

}  // namespace heapwright
