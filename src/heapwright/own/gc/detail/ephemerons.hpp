// The table of a weak map: open addressing over addresses, kept in the collected heap, with entries that the collector clears.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/ptr.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/tracer.hpp>

namespace heapwright::gc::detail {

struct EphemeronTable {
    struct Entry {
        void* key;  // nullptr: never used; 1: was used
        void* value;
    };

    explicit EphemeronTable(std::size_t its_capacity) noexcept : capacity(its_capacity) {
        for (std::size_t index = 0; index < capacity; ++index) {
            entries()[index] = {};
        }
    }

    static bool is_key(const void* key) noexcept { return number_of(key) > 1; }
    static void* gone() noexcept { return reinterpret_cast<void*>(std::uintptr_t{1}); }  // NOLINT(performance-no-int-to-ptr): no address
    static std::size_t capacity_for(std::size_t count) noexcept {
        std::size_t capacity = 8;
        while (capacity * 5 < count * 8) {
            capacity *= 2;
        }
        return capacity;
    }

    [[nodiscard]] Entry* entries() noexcept { return reinterpret_cast<Entry*>(this + 1); }
    [[nodiscard]] const Entry* entries() const noexcept { return reinterpret_cast<const Entry*>(this + 1); }
    [[nodiscard]] bool is_full() const noexcept { return (used + 1) * 8 > capacity * 6; }

    [[nodiscard]] std::size_t first_for(const void* key) const noexcept {
        return ((number_of(key) >> 3) * 0x9E37'79B9'7F4A'7C15U >> 20) & (capacity - 1);
    }
    [[nodiscard]] Entry* find_entry(const void* key) noexcept {
        for (std::size_t index = first_for(key);; index = (index + 1) & (capacity - 1)) {
            Entry& entry = entries()[index];
            if (entry.key == key) {
                return &entry;
            }
            if (entry.key == nullptr) {
                return nullptr;
            }
        }
    }
    [[nodiscard]] void** find(const void* key) noexcept {
        Entry* const entry = is_key(key) ? find_entry(key) : nullptr;
        return entry == nullptr ? nullptr : &entry->value;
    }
    void insert(void* key, void* value) noexcept {
        if (Entry* const entry = find_entry(key)) {
            write_member(&entry->value, value);
            return;
        }
        std::size_t index = first_for(key);
        while (entries()[index].key != nullptr) {
            index = (index + 1) & (capacity - 1);
        }
        Entry& entry = entries()[index];
        // While marking in steps both must be known: this table may be marked already, and its keys are looked at in the end.
        entry.key = strengthen(key);
        entry.value = strengthen(value);
        after_write(&entry.key, key);
        if (value != nullptr) {
            after_write(&entry.value, value);
        }
        ++count;
        ++used;
    }
    bool erase(const void* key) noexcept {
        Entry* const entry = is_key(key) ? find_entry(key) : nullptr;
        if (entry == nullptr) {
            return false;
        }
        before_overwrite(entry->value);
        *entry = {.key = gone(), .value = nullptr};
        --count;
        return true;
    }
    /// All entries of a table that is smaller.
    void take(EphemeronTable& other) noexcept {
        for (std::size_t index = 0; index < other.capacity; ++index) {
            const Entry& entry = other.entries()[index];
            if (is_key(entry.key)) {
                insert(entry.key, entry.value);
            }
        }
    }

    /// Puts all entries where their keys' new addresses belong.
    void rehash() noexcept;

    void trace(Tracer& tracer) const;

    std::size_t capacity;
    std::size_t count = 0;
    std::size_t used = 0;  // count, and entries that were erased
};

template <>
inline constexpr TypeInfo kTypeInfo<EphemeronTable>{
    .trace = [](const void* object, Tracer& tracer) { static_cast<const EphemeronTable*>(object)->trace(tracer); },
    .trace_part = nullptr,
    .destroy = nullptr,
    .move = nullptr,
    .name = "the table of a gc::WeakMap",
    .kind = ObjectKind::ephemerons};

[[nodiscard]] inline Ptr<EphemeronTable> make_ephemeron_table(Heap& heap, std::size_t capacity) {
    auto table = try_make_sized<EphemeronTable>(heap, capacity * sizeof(EphemeronTable::Entry), capacity);
    HEAPWRIGHT_CHECK(table.has_value(), "out of memory: the collected heap's limit or the system refused the table of a weak map");
    return *table;
}

}  // namespace heapwright::gc::detail
