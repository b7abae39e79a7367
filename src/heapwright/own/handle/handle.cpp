// What handles and boxes do that no type has a part in.
#include <heapwright/own/handle/handle.hpp>

#include <heapwright/own/handle/box.hpp>

namespace heapwright::movable {

namespace {

bool has_short_header(std::byte* payload) noexcept {
    return is_short(upper_of(payload).load(std::memory_order_relaxed));  // it has the same for as long as it lives
}
bool has_one_pin(std::byte* payload) noexcept {
    return pins_in(upper_of(payload).load(std::memory_order_relaxed)) == 1;  // its owner ends it: nobody else may pin it
}

/// What a name's entry says first. Whoever looks for pages to pack may read it meanwhile.
void set_first(Entry* entry, Entry value) noexcept {
    std::atomic_ref<Entry>(*entry).store(value, std::memory_order_relaxed);  // the header says when the object is whole
}

}  // namespace

Names::Entry* Unmade::name_it() noexcept {
    Names::Entry* const entry = store_->names.entry_of(name_);
    set_first(entry, store_->entry_for(payload_));  // it is pinned
    if (has_short_header(payload_)) {
        settle_short(payload_, name_);
    } else {
        settle_long(payload_, std::uint64_t{name_} << Header::kOwnerShift);
    }
    payload_ = nullptr;
    return entry;
}

void Unmade::box_it(std::byte** slot) noexcept {
    *slot = payload_;
    settle_long(payload_, (reinterpret_cast<std::uintptr_t>(slot) / 8) << Header::kOwnerShift | Header::kBoxed);
    payload_ = nullptr;
}

void Unmade::give_up() noexcept {
    if (name_ != Names::kNone) {
        store_->give_name(name_);
    }
    store_->deallocate(payload_);
}

Result<NamedRoom> allocate_named(Store& store, std::size_t bytes, std::size_t alignment, std::uint32_t type) noexcept {
    if (type == kNoType) {
        return fail_with(Errc::unsupported, Header::kTypes - 1);
    }
    const std::uint32_t name = store.names.take();
    if (name == Names::kNone) {
        store.refusals.fetch_add(1, std::memory_order_relaxed);  // a figure
        return fail_with(Errc::out_of_memory, bytes);
    }
    const auto payload = store.allocate(bytes, alignment, type, name < store.short_names);
    if (!payload) {
        store.give_name(name);
        return std::unexpected(payload.error());
    }
    return NamedRoom{.payload = *payload, .name = name};
}

void end_named(Names::Entry* entry, std::byte* payload) noexcept {
    Store& store = Store::of(payload);
    HEAPWRIGHT_CHECK(has_one_pin(payload), "an object ends while somebody has it pinned; let the pin go first");
    store.deallocate(payload);
    store.give_name(store.names.number_of(entry));
}

std::size_t capacity_named(const Names::Entry* entry) noexcept {
    const Store& store = Store::of(entry);
    const Inside inside(Store::of(entry));
    return store.capacity_of(resolve(store.chunks.base(), entry));
}

Result<std::byte*> pin_named(const Names::Entry* entry) noexcept {
    Store& store = Store::of(entry);
    const Inside inside(store);
    std::byte* const payload = resolve(store.chunks.base(), entry);
    if (const auto pinned = try_pin(payload); !pinned) {
        return std::unexpected(pinned.error());
    }
    return payload;
}

void rename(Store& store, Names::Entry*& entry) noexcept {
    const std::uint32_t name = store.names.number_of(entry);
    const std::uint32_t better = store.names.take_better(name);
    if (better == Names::kNone) {
        return;
    }
    bool is_taken = true;
    {
        const Inside inside(store);
        std::byte* const payload = resolve(store.chunks.base(), entry);
        // The difference replaces the one field: what is carried into the next by a negative one is carried back by its sign.
        if (!has_short_header(payload)) {
            // Relaxed: inside the gate nobody moves it.
            header_of(payload).fetch_add((std::uint64_t{better} - name) << Header::kOwnerShift, std::memory_order_relaxed);
        } else if (better < store.short_names) {
            // As above.
            upper_of(payload).fetch_add(ShortHeader::of_name(better) - ShortHeader::of_name(name), std::memory_order_relaxed);
        } else {
            is_taken = false;
        }
        if (is_taken) {
            set_first(store.names.entry_of(better), store.names.place_of(name));
            entry = store.names.entry_of(better);
        }
    }
    store.give_name(is_taken ? name : better);
}

void move_box(std::byte** to, std::byte** from) noexcept {
    // The object may move until we are inside; its heap stays the same.
    Store& store = Store::of(box_now(from));
    const Inside inside(store);
    *to = *from;
    *from = nullptr;
    const std::uint64_t difference = reinterpret_cast<std::uintptr_t>(to) / 8 - reinterpret_cast<std::uintptr_t>(from) / 8;
    header_of(*to).fetch_add(difference << Header::kOwnerShift, std::memory_order_relaxed);  // as in rename()
}

Result<std::byte*> pin_box(std::byte* const* slot) noexcept {
    Store& store = Store::of(box_now(slot));
    const Inside inside(store);
    std::byte* const payload = *slot;
    if (const auto pinned = try_pin(payload); !pinned) {
        return std::unexpected(pinned.error());
    }
    return payload;
}

void end_boxed(std::byte* payload) noexcept {
    HEAPWRIGHT_CHECK(has_one_pin(payload), "an object ends while somebody has it pinned; let the pin go first");
    Store::of(payload).deallocate(payload);
}

}  // namespace heapwright::movable
