// A handle that keeps one object alive and points at another: a member, an element, a base, a parsed part of a buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <heapwright/own/rc/counted.hpp>

namespace heapwright {

/// Two pointers: the owner's handle and the target. A handle of one pointer cannot say both, and the counts are found
/// from the object; so aliasing is a type of its own and costs only where it is used.
///
/// Example:  `RcView<std::string, Person> name{person, &person->name};`
/// Keeps:    the owner. That the target lives as long as the owner is the maker's promise.
template <class T, class Owner, class Policy>
class CountedView {
public:
    using element_type = T;
    using owner_type = Counted<Owner, Policy>;

    constexpr CountedView() noexcept = default;
    constexpr CountedView(std::nullptr_t) noexcept {}
    CountedView(owner_type owner, T* target) noexcept : owner_(std::move(owner)), target_(target) {}
    template <class Class = Owner>
        requires std::is_class_v<Class>
    CountedView(owner_type owner, T Class::* member) noexcept
        : owner_(std::move(owner)), target_(owner_ ? &(owner_.get()->*member) : nullptr) {}
    CountedView(const CountedView&) noexcept = default;
    CountedView(CountedView&& other) noexcept : owner_(std::move(other.owner_)), target_(std::exchange(other.target_, nullptr)) {}
    CountedView& operator=(CountedView other) noexcept {
        swap(other);
        return *this;
    }
    ~CountedView() = default;

    void swap(CountedView& other) noexcept {
        owner_.swap(other.owner_);
        std::swap(target_, other.target_);
    }
    [[nodiscard]] T* get() const noexcept { return target_; }
    [[nodiscard]] T& operator*() const noexcept { return *target_; }
    [[nodiscard]] T* operator->() const noexcept { return target_; }
    [[nodiscard]] explicit operator bool() const noexcept { return target_ != nullptr; }
    [[nodiscard]] const owner_type& owner() const noexcept { return owner_; }
    [[nodiscard]] std::uint32_t strong_count() const noexcept { return owner_.strong_count(); }

    /// The same owner, another target.
    template <class U>
    [[nodiscard]] CountedView<U, Owner, Policy> to(U* target) const noexcept {
        return {owner_, target};
    }

    [[nodiscard]] bool operator==(const CountedView& other) const noexcept { return target_ == other.target_; }
    [[nodiscard]] bool operator==(std::nullptr_t) const noexcept { return target_ == nullptr; }

    /// For a cycle collector: it holds the owner.
    void trace(auto& visit) const noexcept
        requires Traced<Owner>
    {
        visit(owner_);
    }

private:
    owner_type owner_;
    T* target_ = nullptr;
};

}  // namespace heapwright
