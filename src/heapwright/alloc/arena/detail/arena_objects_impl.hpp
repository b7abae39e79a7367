// The bodies of Arena that make objects, at run time and in constant expressions.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

#include <memory>
#include <utility>

namespace heapwright {

constexpr bool Arena::take_constant(Layout layout) noexcept {
    if (low_ == nullptr) {
        low_ = chain_.buffer().data();
        high_ = low_ + chain_.buffer().size();
    }
    const auto used = static_cast<std::size_t>(low_ - chain_.buffer().data());
    const std::size_t padding = align_up(used, layout.alignment) - used;
    const auto room = static_cast<std::size_t>(high_ - low_);
    if (padding > room || layout.size > room - padding) {
        chain_.count_refusal(Errc::out_of_memory);
        return false;
    }
    low_ += padding + layout.size;
    return true;
}

constexpr void Arena::adopt(detail::Cleanup* cleanup) noexcept {
    cleanup->next = cleanups_;
    cleanups_ = cleanup;
    ++cleanup_count_;
}

template <class T, class... Args>
constexpr T* Arena::try_create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    using Held = detail::Held<T>;
    if consteval {
        if (!take_constant(Layout::of<T>())) {
            return nullptr;
        }
        auto* const held = new Held(std::forward<Args>(args)...);  // NOLINT(bugprone-unhandled-exception-at-new): never at run time
        adopt(held);
        return &held->object;
    } else {
        if constexpr (std::is_trivially_destructible_v<T>) {
            void* const place = try_allocate_fixed<sizeof(T), alignof(T)>();
            return place == nullptr ? nullptr : std::construct_at(static_cast<T*>(place), std::forward<Args>(args)...);
        } else {
            void* const place = try_allocate_fixed<sizeof(Held), alignof(Held)>();
            if (place == nullptr) {
                return nullptr;
            }
            auto* const held = ::new (place) Held(std::forward<Args>(args)...);
            adopt(held);
            return &held->object;
        }
    }
}

template <class T>
constexpr T* Arena::try_create_array(std::size_t count) noexcept(std::is_nothrow_default_constructible_v<T>) {
    using Held = detail::HeldArray<T>;
    const Result<Layout> items = Layout::array<T>(count);
    if (!items) {
        chain_.count_refusal(items.error().kind);
        return nullptr;
    }
    if consteval {
        if (!take_constant(*items)) {
            return nullptr;
        }
        auto* const held = new Held(new T[count](), count);  // NOLINT(bugprone-unhandled-exception-at-new): never at run time
        adopt(held);
        return held->first;
    } else {
        if constexpr (std::is_trivially_destructible_v<T>) {
            auto* const first = static_cast<T*>(try_allocate(*items));
            if (first != nullptr) {
                std::uninitialized_value_construct_n(first, count);
            }
            return first;
        } else {
            const Result<Layout::Extended> both = Layout::of<Held>().extend(*items);
            if (!both) {
                chain_.count_refusal(both.error().kind);
                return nullptr;
            }
            auto* const place = static_cast<std::byte*>(try_allocate(both->layout));
            if (place == nullptr) {
                return nullptr;
            }
            auto* const first = reinterpret_cast<T*>(place + both->offset);
            std::uninitialized_value_construct_n(first, count);
            adopt(::new (static_cast<void*>(place)) Held(first, count));
            return first;
        }
    }
}

constexpr std::string_view Arena::try_copy(std::string_view text) noexcept {
    char* const copied = try_create_array<char>(text.size() + 1);
    if (copied == nullptr) {
        return {};
    }
    for (std::size_t index = 0; index < text.size(); ++index) {
        copied[index] = text[index];
    }
    return {copied, text.size()};
}

constexpr void Arena::run_cleanups(std::size_t keep) noexcept {
    while (cleanup_count_ > keep) {
        detail::Cleanup* const newest = cleanups_;
        cleanups_ = newest->next;
        --cleanup_count_;
        newest->run(newest);
    }
}

}  // namespace heapwright
