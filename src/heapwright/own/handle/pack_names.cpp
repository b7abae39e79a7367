// Pages of the name table that few names are left on: a record for those, and the page goes back.
#include <algorithm>
#include <new>
#include <span>
#include <utility>

#include <heapwright/os/clock.hpp>
#include <heapwright/own/handle/detail/compaction.hpp>
#include <heapwright/own/handle/detail/types.hpp>
#include <heapwright/own/handle/heap.hpp>

namespace heapwright::movable {

namespace {

constexpr std::size_t kSparseBytes = std::size_t{256} << 10;  // of a table without names: less is not worth a slower look

}  // namespace

bool Names::is_sparse() const noexcept {
    const os::LockGuard guard(lock_);
    // Entries, there and in records: of records, too, names go.
    const std::size_t bytes = pages_used_ * os::kPageBytes + record_bytes_ - records_live_ * PackedNames::slot_bytes_for(0);
    const std::size_t vacant = bytes - live_ * sizeof(Entry);
    // Names that packed pages do not give are made up for by the second half of the table, which is there for that.
    return vacant >= kSparseBytes && vacant > bytes / 8 * 5 && committed_ <= most_ / 2;
}

std::uint32_t Names::find_sparse(std::uint32_t page, std::size_t& room) const noexcept {
    const os::LockGuard guard(lock_);
    for (; page < committed_ / kPerPage; ++page) {
        const std::size_t count = counts_[page] & kCount;
        room = align_up(count, kRoomUnit);
        // A record ends after its last name was given, which takes this lock.
        const bool is_packed = (counts_[page] & kPacked) != 0;
        const std::size_t most = is_packed && count != 0 ? reinterpret_cast<const PackedNames*>(records_[page])->room / 2 : kPackedMost;
        if (count != 0 && room <= most) {
            return page;
        }
    }
    return kNoPage;
}

bool Names::pack(std::uint32_t page, std::byte* record, std::size_t room, std::byte*& former) noexcept {
    const os::LockGuard guard(lock_);
    const std::size_t count = counts_[page] & kCount;
    const bool is_packed = (counts_[page] & kPacked) != 0;
    if (count == 0 || count > room) {
        return false;
    }
    auto* const packed = ::new (static_cast<void*>(record)) PackedNames;
    auto* const entries = reinterpret_cast<Entry*>(packed + 1);
    std::uint16_t names = 0;
    for (std::uint32_t word = 0; word < PackedNames::kWords; ++word) {
        const std::uint32_t first = page * kPerPage + word * static_cast<std::uint32_t>(kBitsPerWord);
        packed->bits[word] = bits_[first / kBitsPerWord] & ~std::uint64_t{first == kNone ? 1U : 0U};
        packed->before[word] = names;
        for (std::uint64_t rest = packed->bits[word]; rest != 0; rest &= rest - 1) {
            const std::uint32_t name = first + static_cast<unsigned>(__builtin_ctzll(rest));
            // Relaxed: what the object holds does not matter here; who makes it writes the entry without the lock.
            const Entry entry = std::atomic_ref<Entry>(place_of(name)).load(std::memory_order_relaxed);
            if (entry == kElsewhere) {
                return false;  // it is not made yet
            }
            entries[names++] = entry;
        }
    }
    packed->room = static_cast<std::uint32_t>(room);
    packed->unused = 0;
    former = records_[page];
    packing_ = is_packed ? kNoPage : page;
    records_[page] = record;
    record_bytes_ += PackedNames::slot_bytes_for(room);
    if (is_packed) {
        record_bytes_ -= PackedNames::slot_bytes_for(reinterpret_cast<const PackedNames*>(former)->room);
        return true;
    }
    counts_[page] |= kPacked;
    --pages_used_;
    ++records_live_;
    packed_names_ += count;
    forget_entries(page);
    packing_ = kNoPage;
    return true;
}

void Names::forget_entries(std::uint32_t page) noexcept {
    if (!os::discard(entries_ + std::size_t{page} * kPerPage, os::kPageBytes)) {
        std::fill_n(entries_ + std::size_t{page} * kPerPage, kPerPage, kElsewhere);  // the kernel refuses: it stays, unused
    }
}

void Names::reset_after_fork() noexcept {
    lock_.reset_after_fork();
    // The kernel does one of both at a time: a fork waits for pages to go back, or comes before they do.
    if (const std::uint32_t page = std::exchange(packing_, kNoPage); page != kNoPage) {
        if ((counts_[page] & kPacked) != 0) {
            forget_entries(page);
        } else {
            records_[page] = nullptr;  // the page has its names still
        }
    }
}

void Names::record_ended(std::uint32_t page, std::size_t room) noexcept {
    const os::LockGuard guard(lock_);
    counts_[page] = kUntouched;
    --records_live_;
    record_bytes_ -= PackedNames::slot_bytes_for(room);
    hint_ = std::min(hint_, std::size_t{page} * PackedNames::kWords);
}

void Store::give_name(std::uint32_t name) noexcept {
    const std::uint32_t page = names.give(name);
    if (page == Names::kNoPage) {
        return;
    }
    std::byte** const owner = names.record_of(page);
    std::byte* record = nullptr;
    {
        const Inside inside(*this);
        record = std::exchange(*owner, nullptr);
        // Relaxed: inside the gate nobody moves it; the gate orders it against moves.
        header_of(record).fetch_add(Header::kOnePin, std::memory_order_relaxed);
    }
    const std::size_t room = reinterpret_cast<const PackedNames*>(record)->room;
    deallocate(record);
    names.record_ended(page, room);
}

std::byte* resolve_packed(const Entry* entry) noexcept {
    const Store& store = Store::of(entry);
    return store.chunks.base() + store.names.place_of(store.names.number_of(entry)) * kEntryUnit;
}

/// It is the page's now. The pin that kept it while it was nobody's goes.
void Store::settle_record(const NewRecord& record) noexcept {
    const std::uint64_t owner = reinterpret_cast<std::uintptr_t>(names.record_of(record.page)) / 8;
    settle_long(record.memory, owner << Header::kOwnerShift | Header::kBoxed);
}

/// What is left of them was not wanted, or is a record of before.
void Store::end_new_records() noexcept {
    for (NewRecord& record : std::span(new_records_, new_count_)) {
        for (std::byte** memory : {&record.memory, &record.former}) {
            if (*memory != nullptr) {
                deallocate(std::exchange(*memory, nullptr));
            }
        }
    }
    new_count_ = 0;
}

/// In a child of fork: whoever made records is not here.
void Store::drop_new_records() noexcept {
    for (NewRecord& record : std::span(new_records_, new_count_)) {
        if (record.memory != nullptr && *names.record_of(record.page) == record.memory) {
            // Relaxed: there is one thread.
            if (Header::owner(header_of(record.memory).load(std::memory_order_relaxed)) == 0) {
                settle_record(record);
            }
            record.memory = nullptr;
        } else if (record.former != nullptr && *names.record_of(record.page) == record.former) {
            record.former = nullptr;
        }
    }
    end_new_records();
}

/// Room for the records of the next pages, before anybody has to wait. Returns: how many.
std::size_t Compaction::prepare_records() noexcept {
    std::size_t& count = store_.new_count_;
    while (count < Store::kRecordsAtOnce) {
        Store::NewRecord& next = store_.new_records_[count];
        next.former = nullptr;
        next.page = store_.names.find_sparse(store_.next_page_, next.room);
        if (next.page == Names::kNoPage) {
            store_.next_page_ = Names::kNoPage;
            break;
        }
        next.memory = store_.allocate_slot(class_for(PackedNames::bytes_for(next.room), alignof(PackedNames)), kBytesType);
        if (next.memory == nullptr) {
            store_.next_page_ = Names::kNoPage;  // no memory: the table stays as it is
            break;
        }
        store_.next_page_ = next.page + 1;
        ++count;
    }
    return count;
}

bool Compaction::pack_names() noexcept {
    const std::size_t count = prepare_records();
    const std::uint64_t asked_ns = os::monotonic_ns();
    const std::uint64_t left_ns = deadline_ns_ > asked_ns ? deadline_ns_ - asked_ns : 0;
    const bool is_closed = count != 0 && store_.gate.close(std::min(store_.options.reader_wait_ns, left_ns));
    step_end_ns_ = std::min(deadline_ns_, asked_ns + store_.options.step_ns);
    for (std::size_t i = 0; is_closed && i < count; ++i) {
        Store::NewRecord& record = store_.new_records_[i];
        if (i != 0 && is_late()) {
            store_.next_page_ = record.page;
            break;
        }
        if (!store_.names.pack(record.page, record.memory, record.room, record.former)) {
            continue;
        }
        store_.settle_record(record);
        record.memory = nullptr;
        if (record.former != nullptr) {
            header_of(record.former).fetch_add(Header::kOnePin, std::memory_order_relaxed);  // only who closed the gate moves it
        } else {
            result.returned_bytes += os::kPageBytes;
        }
    }
    if (is_closed) {
        reopen(asked_ns);  // no moving_ns: nothing was moved
    } else if (count != 0) {
        ++result.refused_steps;
        store_.next_page_ = store_.new_records_[0].page;
    }
    store_.end_new_records();
    return is_closed || count == 0;
}

}  // namespace heapwright::movable
