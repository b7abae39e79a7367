// Constructed objects at stable addresses, each under a key that never comes alive again.
//
//   key │ index │ generation │      directory: chunk by number      chunk: generations, live bits, objects
//           └─ number, place ──────► entry ───────────────────────► same generation? ──► the object
//
// An index alone is not a name: after its object is gone, another one moves in. The generation says which one is meant,
// and it is never used twice for a place, not even when the chunk went back to its source and came again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>

#include <heapwright/alloc/slab/detail/chunk_directory.hpp>
#include <heapwright/alloc/slab/detail/slab_chunk.hpp>
#include <heapwright/alloc/slab/slab_key.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright {

struct SlabOptions {
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    std::size_t limit_objects = kUnlimited;  // alive at one time
    std::size_t spare_chunks = 1;            // empty chunks kept for later; the others go back at once
};

struct SlabStats {
    std::size_t live_objects;
    std::size_t peak_objects;
    std::size_t chunks;
    std::size_t spare_chunks;  // of these, empty
    std::size_t free_places;
    std::size_t given_up_places;  // whose generations are used up, in chunks that are here
    std::size_t owned_bytes;      // chunks and directory
    std::size_t refusals;         // objects that were not made for want of memory or by the limit
};

/// Objects of one type, found by key or address, visited in order of address within a chunk.
///
///   SL1  a place is live, free, in the making, or given up; a live one's generation is odd, any other's even
///   SL2  a chunk counts its free and busy places, and no free place lies before its lowest word
///   SL3  a chunk with both free and busy places is on the open list; one with free places only is a spare
///   SL4  live objects add up, and are within the limit
///   SL5  every chunk is in the directory under its number
///
/// K1 of slab_key.hpp and SD1 of detail/chunk_directory.hpp hold as well. Constructors and destructors may themselves
/// insert into and erase from the slab. `ChunkBytes` is a power of two; 0: 64 KiB, or enough for eight objects.
/// Thread safety: one thread at a time.
template <class T, class Key = SlabKey, std::size_t ChunkBytes = 0>
class Slab {
    static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_array_v<T>, "a slab holds objects that can be made and destroyed");
    static_assert(std::is_nothrow_destructible_v<T>, "a slab destroys objects where nothing may throw");

    using Generation = typename Key::generation_type;
    using Geometry = detail::SlabGeometry<T, Generation, ChunkBytes>;
    using Chunk = typename Geometry::Chunk;

public:
    using key_type = Key;
    using value_type = T;

    static constexpr std::size_t kChunkBytes = Geometry::kChunkBytes;
    static constexpr std::size_t kSlotsPerChunk = Geometry::kSlots;

    /// Example: `Slab<Order> orders{os::kPages}; SlabKey key = orders.insert(7); orders.erase(key);`
    explicit Slab(SourceRef source, SlabOptions options = {}) noexcept
        : directory_(source, Geometry::kMostChunks), source_(source), options_(options) {}
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;
    /// Destroys every object.
    ~Slab();

    // ---- objects

    /// Makes a T.
    ///
    /// Returns:  its key; the key that names nothing when the limit or the source refuses.
    /// Keeps:    on refusal, or when the constructor throws, everything is as it was.
    /// Cost:     O(1), and a new chunk now and then. No other object moves.
    template <class... Args>
    [[nodiscard]] Key try_insert(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>);

    /// Requires: limit and source suffice (checked).
    template <class... Args>
    Key insert(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        const Key key = try_insert(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(static_cast<bool>(key), "out of memory: the slab's limit or source refused; call try_insert to go on without");
        return key;
    }

    /// Destroys the object.
    ///
    /// Returns:  false when the key's object is gone already, or there never was one: a key may be erased twice.
    /// Cost:     O(1), and a chunk goes back now and then.
    bool erase(Key key) noexcept;

    /// Destroys every object for which `is_condemned(T&)` is true.
    ///
    /// Requires: `is_condemned` neither inserts nor erases.
    /// Returns:  how many.
    template <class Condemn>
    std::size_t erase_if(Condemn is_condemned);

    /// Destroys every object. Their keys name nothing from now on.
    void clear() noexcept {
        erase_if([](const T&) { return true; });
    }

    // ---- finding

    /// Returns:  nullptr when the object is gone. The address stays the same as long as the object lives.
    /// Cost:     about 12 instructions, two independent loads behind the directory's.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T* find(Key key) noexcept {
        const Place place = locate(key);
        return place.chunk == nullptr ? nullptr : Geometry::object(place.chunk, place.slot);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE const T* find(Key key) const noexcept {
        const Place place = locate(key);
        return place.chunk == nullptr ? nullptr : Geometry::object(place.chunk, place.slot);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool contains(Key key) const noexcept { return locate(key).chunk != nullptr; }

    /// Requires: the object is there (checked, in every build).
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T& operator[](Key key) noexcept { return or_stop(find(key)); }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE const T& operator[](Key key) const noexcept { return or_stop(find(key)); }

    /// Requires: `object` lives in this slab (checked as far as that is possible without a search).
    [[nodiscard]] Key key_of(const T& object) const noexcept;

    /// Calls `visit(Key, T&)` for each object, in order of address within a chunk.
    ///
    /// Requires: `visit` neither inserts nor erases; erase_if does.
    /// Cost:     O(places / 64 + objects).
    template <class Visit>
    void for_each(Visit visit) {
        for (Chunk* chunk = all_.first; chunk != nullptr; chunk = chunk->all_next) {
            for (std::size_t at = 0; at < Chunk::kWords; ++at) {
                for (std::uint64_t live = chunk->live_words[at]; live != 0; live &= live - 1) {
                    const std::size_t slot = at * 64 + static_cast<std::size_t>(__builtin_ctzll(live));
                    visit(key_at(chunk, slot), *Geometry::object(chunk, slot));
                }
            }
        }
    }

    template <class Value>
    class Iterator;
    using iterator = Iterator<T>;
    using const_iterator = Iterator<const T>;
    [[nodiscard]] iterator begin() noexcept { return iterator{all_.first}; }
    [[nodiscard]] iterator end() noexcept { return iterator{}; }
    [[nodiscard]] const_iterator begin() const noexcept { return const_iterator{all_.first}; }
    [[nodiscard]] const_iterator end() const noexcept { return const_iterator{}; }

    // ---- memory

    /// Returns every empty chunk to the source, the spares as well. Objects that live keep their chunks: they do not move.
    ///
    /// Returns:  bytes returned.
    std::size_t trim() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return live_objects_; }
    [[nodiscard]] bool empty() const noexcept { return live_objects_ == 0; }
    [[nodiscard]] SlabStats stats() const noexcept;
    /// What the last refusal meant: limit_reached or out_of_memory.
    [[nodiscard]] Errc why_refused() const noexcept { return why_refused_; }
    /// The name of the first invariant that does not hold, or nullptr.
    ///
    /// Requires: not called from a constructor or destructor of T.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    struct Place {
        Chunk* chunk;
        std::size_t slot;
    };
    struct List {
        Chunk* first = nullptr;
        Chunk* last = nullptr;
    };
    struct Return;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Place locate(Key key) const noexcept {
        Chunk* const chunk = directory_.chunk_of(key.index() >> Geometry::kSlotBits);
        const std::size_t slot = key.index() & Geometry::kSlotMask;
        // A key that was made up may name a place past the last; one that names nothing has a generation that no place has.
        if (HEAPWRIGHT_UNLIKELY(chunk == nullptr) || HEAPWRIGHT_UNLIKELY(slot >= kSlotsPerChunk) ||
            HEAPWRIGHT_UNLIKELY(chunk->generations[slot] != key.generation())) {
            return {.chunk = nullptr, .slot = 0};
        }
        return {.chunk = chunk, .slot = slot};
    }
    [[nodiscard]] static Key key_at(const Chunk* chunk, std::size_t slot) noexcept {
        return Key::from_parts((chunk->number << Geometry::kSlotBits) | static_cast<std::uint32_t>(slot), chunk->generations[slot]);
    }
    template <class Object>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static Object& or_stop(Object* object) noexcept {
        HEAPWRIGHT_CHECK(object != nullptr,
                         "no such object: the key's object is gone, or the key is of another slab; call find to be told");
        return *object;
    }

    [[nodiscard]] Place take_place() noexcept;
    [[nodiscard]] Key begin_life(Place place) noexcept;
    [[nodiscard]] bool end_life(Place place) noexcept;
    void put_back(Place place, bool is_worn) noexcept;
    void settle(Chunk* chunk) noexcept;
    [[nodiscard]] bool choose_home() noexcept;
    [[nodiscard]] Chunk* make_chunk() noexcept;
    void give_back(Chunk* chunk) noexcept;
    void append(List& list, Chunk* chunk) noexcept;
    void remove(List& list, Chunk* chunk) noexcept;
    [[nodiscard]] const char* broken_chunk(const Chunk* chunk) const noexcept;

    detail::ChunkDirectory<Chunk, Generation> directory_;
    Chunk* home_ = nullptr;  // where the next object goes; on the open list or full
    List open_;              // chunks with free and with busy places
    List spare_;             // chunks with neither objects nor places given up
    List all_;               // through all_previous and all_next
    std::size_t live_objects_ = 0;
    std::size_t peak_objects_ = 0;
    std::size_t taken_places_ = 0;  // live objects and those in the making
    std::size_t chunks_ = 0;
    std::size_t spare_chunks_ = 0;
    std::size_t refusals_ = 0;
    SourceRef source_;
    SlabOptions options_;
    Errc why_refused_ = Errc::out_of_memory;
};

/// Goes from object to object; inserting and erasing end every iterator.
template <class T, class Key, std::size_t ChunkBytes>
template <class Value>
class Slab<T, Key, ChunkBytes>::Iterator {
public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = Value&;
    using pointer = Value*;
    using iterator_category = std::forward_iterator_tag;

    Iterator() noexcept = default;
    [[nodiscard]] reference operator*() const noexcept { return *Geometry::object(chunk_, slot()); }
    [[nodiscard]] pointer operator->() const noexcept { return Geometry::object(chunk_, slot()); }
    [[nodiscard]] Key key() const noexcept { return key_at(chunk_, slot()); }
    Iterator& operator++() noexcept {
        live_ &= live_ - 1;
        find_live();
        return *this;
    }
    Iterator operator++(int) noexcept {
        const Iterator before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) noexcept = default;

private:
    friend class Slab;
    explicit Iterator(Chunk* first) noexcept : chunk_(first), live_(first == nullptr ? 0 : first->live_words[0]) { find_live(); }

    [[nodiscard]] std::size_t slot() const noexcept { return word_ * 64 + static_cast<std::size_t>(__builtin_ctzll(live_)); }
    void find_live() noexcept {
        while (live_ == 0 && chunk_ != nullptr) {
            if (++word_ == Chunk::kWords) {
                chunk_ = chunk_->all_next;
                word_ = 0;
            }
            live_ = chunk_ == nullptr ? 0 : chunk_->live_words[word_];
        }
    }

    Chunk* chunk_ = nullptr;
    std::size_t word_ = 0;
    std::uint64_t live_ = 0;  // bits of this word that are still to be visited
};

}  // namespace heapwright

#include <heapwright/alloc/slab/detail/slab_impl.hpp>
