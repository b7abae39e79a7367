// Pins of objects that have more than a short header can count.
#include <heapwright/own/handle/detail/many_pins.hpp>

#include <algorithm>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/own/handle/detail/layout.hpp>

namespace heapwright::movable {

namespace {

constexpr std::size_t kInHeader = ShortHeader::kMany - 1;

}  // namespace

ManyPins::~ManyPins() {
    if (rows_ != nullptr) {
        os::release(rows_, room_ * sizeof(Row));
    }
}

ManyPins::Row* ManyPins::find(const std::byte* payload) const noexcept {
    Row* const found = std::find_if(rows_, rows_ + count_, [&](const Row& row) { return row.payload == payload; });
    return found == rows_ + count_ ? nullptr : found;
}

/// A row with one pin. A child of fork may find one whose maker is not here.
ManyPins::Row* ManyPins::add(std::byte* payload) noexcept {
    if (Row* const row = find(payload)) {
        row->beyond = 1;
        return row;
    }
    if (count_ == room_) {
        const std::size_t room = room_ == 0 ? os::kPageBytes / sizeof(Row) : room_ * 2;
        auto* const more = static_cast<Row*>(os::map_pages(room * sizeof(Row), "heapwright movable pins"));
        if (more == nullptr) {
            return nullptr;
        }
        Row* const former = std::exchange(rows_, std::copy_n(rows_, count_, more) - count_);
        if (former != nullptr) {
            os::release(former, room_ * sizeof(Row));
        }
        room_ = room;
    }
    rows_[count_] = {.payload = payload, .beyond = 1};
    return &rows_[count_++];
}

bool ManyPins::pin(std::byte* payload) noexcept {
    const os::LockGuard guard(lock_);
    const std::atomic_ref<std::uint32_t> upper = upper_of(payload);
    for (std::uint32_t half = upper.load(std::memory_order_relaxed);;) {  // kMany comes and goes behind the lock
        Row* row = nullptr;
        if (ShortHeader::pins(half) == ShortHeader::kMany) {
            row = find(payload);
            HEAPWRIGHT_CHECK(row != nullptr, "an object has many pins that nobody counts; its header was overwritten");
            const bool has_room = row->beyond + kInHeader < Header::kMostPins;
            row->beyond += has_room ? 1 : 0;
            return has_room;
        }
        if (ShortHeader::pins(half) == kInHeader) {
            row = add(payload);
            if (row == nullptr) {
                return false;
            }
        }
        // Relaxed: the gate orders it against moves; other pins do not matter.
        if (upper.compare_exchange_weak(half, half + ShortHeader::kOnePin, std::memory_order_relaxed)) {
            return true;
        }
        if (row != nullptr) {
            remove(*row);  // one has gone meanwhile
        }
    }
}

void ManyPins::unpin(std::byte* payload) noexcept {
    const os::LockGuard guard(lock_);
    const std::atomic_ref<std::uint32_t> upper = upper_of(payload);
    const std::uint32_t half = upper.load(std::memory_order_relaxed);  // as in pin()
    if (ShortHeader::pins(half) == ShortHeader::kMany) {
        Row* const row = find(payload);
        HEAPWRIGHT_CHECK(row != nullptr, "an object has many pins that nobody counts; its header was overwritten");
        if (row->beyond > 1) {
            --row->beyond;
            return;
        }
        // As below. A child of fork may find the row without the pin, and never the pin without the row.
        upper.fetch_sub(ShortHeader::kOnePin, std::memory_order_release);
        remove(*row);
        return;
    }
    // Release pairs with the acquire of who looks whether the object may move; those who let go here before are seen by the lock.
    upper.fetch_sub(ShortHeader::kOnePin, std::memory_order_release);
}

void ManyPins::remove(Row& row) noexcept {
    row = rows_[count_ - 1];
    std::atomic_signal_fence(std::memory_order_release);  // a child of fork finds each row at least once
    --count_;
}

bool ManyPins::counts(const std::byte* payload) const noexcept {
    const os::LockGuard guard(lock_);
    return find(payload) != nullptr;
}

std::size_t ManyPins::rows() const noexcept {
    const os::LockGuard guard(lock_);
    return count_;
}

}  // namespace heapwright::movable
