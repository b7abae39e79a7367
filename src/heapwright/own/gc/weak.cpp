// Weak references and ephemerons, after marking.
#include <heapwright/own/gc/weak.hpp>

#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/ephemerons.hpp>
#include <heapwright/own/gc/detail/marker.hpp>

namespace heapwright::gc::detail {

namespace {

/// Where the object is now.
void* current(void* object) noexcept {
    const Header* const header = header_of(object);
    return header->is_forwarded() ? header->forwarded() : object;
}

}  // namespace

void EphemeronTable::trace(Tracer& tracer) const {
    for (std::size_t index = 0; index < capacity; ++index) {
        if (is_key(entries()[index].key) && entries()[index].value != nullptr) {
            tracer.visit(reinterpret_cast<const Ptr<void>&>(entries()[index].value));
        }
    }
}

void EphemeronTable::rehash() noexcept {
    // In place: each entry is taken out in turn and carried until it finds a place. Entries that were settled in this round have
    // the lowest bit of their key set.
    const auto is_settled = [](const Entry& entry) { return is_key(entry.key) && (number_of(entry.key) & 1) != 0; };
    const auto settled = [](void* key) { return reinterpret_cast<void*>(number_of(key) | 1); };
    for (std::size_t index = 0; index < capacity; ++index) {
        if (entries()[index].key == gone()) {
            entries()[index] = {};
        }
    }
    for (std::size_t index = 0; index < capacity; ++index) {
        if (entries()[index].key == nullptr || is_settled(entries()[index])) {
            continue;
        }
        Entry carried = entries()[index];
        entries()[index] = {};
        while (carried.key != nullptr) {
            std::size_t place = first_for(carried.key);
            while (is_settled(entries()[place])) {
                place = (place + 1) & (capacity - 1);
            }
            const Entry displaced = entries()[place];
            entries()[place] = {.key = settled(carried.key), .value = carried.value};
            carried = displaced;
        }
    }
    for (std::size_t index = 0; index < capacity; ++index) {
        if (is_key(entries()[index].key)) {
            entries()[index].key = reinterpret_cast<void*>(number_of(entries()[index].key) & ~std::uintptr_t{1});
        }
    }
    used = count;
}

/// Marks the values of reachable keys, until that makes no other key reachable.
void Collector::trace_ephemerons(Marker& marker) noexcept {
    bool changed = true;
    while (changed) {
        changed = false;
        team->gather();
        for (std::size_t index = 0; index < ephemerons.size(); ++index) {
            auto& table = *static_cast<EphemeronTable*>(ephemerons[index]);
            for (std::size_t place = 0; place < table.capacity; ++place) {
                EphemeronTable::Entry& entry = table.entries()[place];
                if (!EphemeronTable::is_key(entry.key)) {
                    continue;
                }
                entry.key = current(entry.key);
                if (!is_live(entry.key)) {
                    continue;
                }
                if (keeps_young) {
                    marker.push_named(&entry.key);  // live already; this remembers the place where it is young
                }
                if (entry.value != nullptr && (!is_live(entry.value) || keeps_young || evacuates)) {
                    changed = changed || !is_live(current(entry.value));
                    marker.push_named(&entry.value);
                }
            }
        }
        marker.drain();
        team->gather();
    }
}

/// Removes the entries of dead keys.
void Collector::clear_ephemerons() noexcept {
    for (void* const object : ephemerons) {
        auto& table = *static_cast<EphemeronTable*>(object);
        bool moved = false;
        for (std::size_t place = 0; place < table.capacity; ++place) {
            EphemeronTable::Entry& entry = table.entries()[place];
            if (EphemeronTable::is_key(entry.key) && !is_live(entry.key)) {
                entry = {.key = EphemeronTable::gone(), .value = nullptr};
                --table.count;
            }
            moved = moved || (EphemeronTable::is_key(entry.key) && evacuates);
        }
        if (moved) {
            table.rehash();
        }
    }
    ephemerons.clear();
}

void Collector::clear_weak() noexcept {
    for (void** const slot : weak_slots) {
        if (*slot == nullptr) {
            continue;
        }
        *slot = current(*slot);
        if (!is_live(*slot)) {
            *slot = nullptr;
            ++counts.weak_cleared;
        }
    }
    weak_slots.clear();
    for (RootNode* node = weak_roots.next; node != &weak_roots; node = node->next) {
        if (node->target == nullptr) {
            continue;
        }
        node->target = current(node->target);
        if (!is_live(node->target)) {
            node->target = nullptr;
            ++counts.weak_cleared;
        }
    }
}

}  // namespace heapwright::gc::detail
