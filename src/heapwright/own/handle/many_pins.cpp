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
    if (rows_ != own_) {
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
    if (count_ == room_ && !grow()) {
        return nullptr;
    }
    rows_[count_] = {.payload = payload, .beyond = 1};
    return &rows_[count_++];
}

bool ManyPins::grow() noexcept {
    auto* const more = static_cast<Row*>(os::map_pages(room_ * 2 * sizeof(Row), "heapwright movable pins"));
    if (more == nullptr) {
        return false;
    }
    Row* const former = std::exchange(rows_, std::copy_n(rows_, count_, more) - count_);
    std::atomic_signal_fence(std::memory_order_release);  // a child of fork finds no more room than there is
    if (former != own_) {
        os::release(former, room_ * sizeof(Row));
    }
    room_ *= 2;
    return true;
}

Result<void> ManyPins::pin(std::byte* payload) noexcept {
    const os::LockGuard guard(lock_);
    const std::atomic_ref<std::uint32_t> upper = upper_of(payload);
    for (std::uint32_t half = upper.load(std::memory_order_relaxed);;) {  // kMany comes and goes behind the lock
        Row* row = nullptr;
        if (ShortHeader::pins(half) == ShortHeader::kMany) {
            row = find(payload);
            HEAPWRIGHT_CHECK(row != nullptr, "an object has many pins that nobody counts; its header was overwritten");
            const bool has_room = row->beyond + kInHeader < Header::kMostPins;
            if (!has_room) {
                return fail_with(Errc::limit_reached, Header::kMostPins);
            }
            ++row->beyond;
            return {};
        }
        if (ShortHeader::pins(half) == kInHeader) {
            row = add(payload);
            if (row == nullptr) {
                return fail_with(Errc::out_of_memory, room_ * 2 * sizeof(Row));
            }
        }
        // Relaxed: the gate orders it against moves; other pins do not matter.
        if (upper.compare_exchange_weak(half, half + ShortHeader::kOnePin, std::memory_order_relaxed)) {
            return {};
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
    // A child of fork finds each row at least once, and first one with its own count: what this row says of the one that goes is not used.
    row.beyond = rows_[count_ - 1].beyond;
    std::atomic_signal_fence(std::memory_order_release);
    row.payload = rows_[count_ - 1].payload;
    std::atomic_signal_fence(std::memory_order_release);
    --count_;
}

void ManyPins::reset_after_fork() noexcept {
    lock_.reset_after_fork();
    const os::LockGuard guard(lock_);
    // Another thread was removing a row: the last one was copied to its place, and not yet taken away.
    if (count_ > 1 && find(rows_[count_ - 1].payload) != &rows_[count_ - 1]) {
        --count_;
    }
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
