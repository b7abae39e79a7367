// A cache that never keeps what nobody uses: it finds objects as long as somebody else holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>  // declares std::hash
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/own/rc/make.hpp>

namespace heapwright {

struct WeakCacheStats {
    std::size_t entries;  // found and expired ones
    std::size_t places;   // of the table
    std::uint64_t hits;
    std::uint64_t misses;  // first requests, and requests after the object died
    std::uint64_t swept;   // expired entries removed
};

/// Objects by key, watched and not kept.
///
///   WC1  at most three quarters of the places are taken, by entries or by the marks of removed ones
///   WC2  every entry is found by its key from the place its hash says
///
/// An expired entry is removed when its key is asked for, and each insertion looks at four places of the table for others:
/// so there are never more than a few expired entries for each living one, and no operation takes long. What an expired
/// entry holds until then is its key and the block, not the object.
/// Thread safety: one thread at a time; SharedWeakCache is for many.
template <class Key, class T, class Policy, class Hash = std::hash<Key>>
class BasicWeakCache {
    using Strong = Counted<T, Policy>;
    using Weak = WeakCounted<T, Policy>;
    using Blocks = typename Policy::Blocks;

public:
    BasicWeakCache() noexcept = default;
    explicit BasicWeakCache(Hash hash) noexcept : hash_(std::move(hash)) {}
    BasicWeakCache(const BasicWeakCache&) = delete;
    BasicWeakCache& operator=(const BasicWeakCache&) = delete;
    ~BasicWeakCache() { drop_table(places_, capacity_); }

    /// Returns:  the object, if anybody still holds one under this key.
    /// Cost:     O(1).
    [[nodiscard]] Strong find(const Key& key) noexcept {
        Place* const place = look_up(key, hash_(key));
        if (place != nullptr) {
            if (Strong found = place->entry().object.upgrade()) {
                ++stats_.hits;
                return found;
            }
            remove(*place);
        }
        ++stats_.misses;
        return {};
    }

    /// As find(); else what `make()` returns, a handle, which is watched under this key from now on. When `make` throws or
    /// returns an empty handle, nothing is watched. `make` may use the cache itself.
    /// Cost:     O(1) amortised, and `make`.
    template <class Make>
    [[nodiscard]] Strong get_or_create(const Key& key, Make make) {
        if (Strong found = find(key)) {
            return found;
        }
        Strong made = make();
        if (made) {
            insert(key, made);
        }
        return made;
    }

    /// Watches an object under a key, instead of what was watched there.
    ///
    /// Fails:    when memory is refused it is not watched: the next request makes another.
    void insert(const Key& key, const Strong& object) {
        const std::size_t hash = hash_(key);
        if (Place* const place = look_up(key, hash)) {
            place->entry().object = object;
            return;
        }
        sweep_some();
        if ((taken_ + 1) * 4 > capacity_ * 3 && !rebuild()) {
            return;
        }
        std::size_t at = hash & (capacity_ - 1);
        while (places_[at].state == State::entry) {
            at = (at + 1) & (capacity_ - 1);
        }
        Place& place = places_[at];
        ::new (static_cast<void*>(place.memory)) Entry{.key = key, .object = object};
        taken_ += place.state == State::empty ? 1U : 0U;
        place.state = State::entry;
        place.hash = hash;
        ++entries_;
    }

    /// Forgets a key; whoever holds its object keeps it.
    void erase(const Key& key) noexcept {
        if (Place* const place = look_up(key, hash_(key))) {
            remove(*place);
        }
    }
    /// Removes every expired entry now. Cost: O(places).
    void sweep() noexcept {
        for (std::size_t at = 0; at < capacity_; ++at) {
            sweep_place(places_[at]);
        }
    }

    [[nodiscard]] WeakCacheStats stats() const noexcept {
        WeakCacheStats now = stats_;
        now.entries = entries_;
        now.places = capacity_;
        return now;
    }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() noexcept {
        if (taken_ * 4 > capacity_ * 3) {
            return "WC1: the table is too full";
        }
        for (std::size_t at = 0; at < capacity_; ++at) {
            if (places_[at].state == State::entry && look_up(places_[at].entry().key, places_[at].hash) != &places_[at]) {
                return "WC2: an entry is not found by its key";
            }
        }
        return nullptr;
    }

private:
    struct Entry {
        Key key;
        Weak object;
    };
    static_assert(std::is_nothrow_destructible_v<Key>, "a cache destroys keys where nothing may throw");

    enum class State : std::uint8_t { empty, entry, removed };

    struct Place {
        std::size_t hash;
        State state;
        alignas(Entry) std::byte memory[sizeof(Entry)];
        [[nodiscard]] Entry& entry() noexcept { return *std::launder(reinterpret_cast<Entry*>(memory)); }
    };

    static constexpr std::size_t kFirst = 16;
    static constexpr std::size_t kSweptEachTime = 4;

    [[nodiscard]] static Layout table_layout(std::size_t capacity) noexcept {
        return {.size = capacity * sizeof(Place), .alignment = alignof(Place)};
    }
    [[nodiscard]] Place* look_up(const Key& key, std::size_t hash) noexcept {
        if (capacity_ == 0) {
            return nullptr;
        }
        for (std::size_t at = hash & (capacity_ - 1); places_[at].state != State::empty; at = (at + 1) & (capacity_ - 1)) {
            if (places_[at].state == State::entry && places_[at].hash == hash && places_[at].entry().key == key) {
                return &places_[at];
            }
        }
        return nullptr;
    }
    void remove(Place& place) noexcept {
        place.entry().~Entry();
        place.state = State::removed;
        --entries_;
    }
    void sweep_place(Place& place) noexcept {
        if (place.state == State::entry && place.entry().object.is_expired()) {
            remove(place);
            ++stats_.swept;
        }
    }
    void sweep_some() noexcept {
        for (std::size_t count = 0; count < kSweptEachTime && capacity_ > 0; ++count) {
            hand_ = (hand_ + 1) & (capacity_ - 1);
            sweep_place(places_[hand_]);
        }
    }
    /// A table without expired entries and marks, twice as large as they need. False when memory is refused.
    [[nodiscard]] bool rebuild() {
        sweep();
        std::size_t wanted = kFirst;
        while (wanted < (entries_ + 1) * 2) {
            wanted *= 2;
        }
        void* const memory = Blocks::try_allocate(table_layout(wanted));
        if (memory == nullptr) {
            return taken_ + 1 < capacity_;  // fuller than it should be, but never full
        }
        auto* const bigger = static_cast<Place*>(memory);
        for (std::size_t at = 0; at < wanted; ++at) {
            bigger[at].state = State::empty;
        }
        for (std::size_t from = 0; from < capacity_; ++from) {
            if (places_[from].state != State::entry) {
                continue;
            }
            std::size_t at = places_[from].hash & (wanted - 1);
            while (bigger[at].state == State::entry) {
                at = (at + 1) & (wanted - 1);
            }
            Entry& moving = places_[from].entry();
            ::new (static_cast<void*>(bigger[at].memory))
                Entry{.key = std::move_if_noexcept(moving.key), .object = std::move(moving.object)};
            bigger[at].hash = places_[from].hash;
            bigger[at].state = State::entry;
        }
        drop_table(places_, capacity_);
        places_ = bigger;
        capacity_ = wanted;
        taken_ = entries_;
        hand_ = 0;
        return true;
    }
    static void drop_table(Place* places, std::size_t capacity) noexcept {
        for (std::size_t at = 0; at < capacity; ++at) {
            if (places[at].state == State::entry) {
                places[at].entry().~Entry();
            }
        }
        if (places != nullptr) {
            Blocks::deallocate(places, table_layout(capacity));
        }
    }

    Place* places_ = nullptr;
    std::size_t capacity_ = 0;  // a power of two
    std::size_t entries_ = 0;
    std::size_t taken_ = 0;  // entries and marks of removed ones
    std::size_t hand_ = 0;   // the place that was swept last
    WeakCacheStats stats_{};
    [[no_unique_address]] Hash hash_;
};

template <class Key, class T, class Hash = std::hash<Key>>
using WeakCache = BasicWeakCache<Key, T, SingleThread, Hash>;

}  // namespace heapwright
