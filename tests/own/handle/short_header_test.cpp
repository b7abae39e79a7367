// Objects whose headers are short: small ones with names that are moved as bytes.
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/own/handle/block.hpp>
#include <heapwright/own/handle/box.hpp>
#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/string.hpp>
#include <heapwright/own/handle/vector.hpp>

#include <tests/own/handle/survivors.hpp>

namespace heapwright::test {

namespace {

struct Told {
    int value = 0;
    explicit Told(int number) noexcept : value(number) {}
    Told(Told&& other) noexcept : value(other.value) {}
    ~Told() {}  // NOLINT(modernize-use-equals-default): it is told of its end
};

/// Four bytes.
struct Number {
    std::uint32_t value;
    explicit Number(std::size_t number) noexcept : value(static_cast<std::uint32_t>(number)) {}
};

bool is_short_at(std::byte* payload) { return movable::is_short(movable::upper_of(payload).load()); }

template <class T>
std::uint32_t name_of_object(const Handle<T>& handle) {
    return movable::ShortHeader::name(movable::upper_of(reinterpret_cast<std::byte*>(handle.pin().get())).load());
}
/// Pages that are the process's own; -1 where the kernel does not say. One that was only read is the kernel's page of zeros.
int written_pages(const void* start, std::size_t bytes) {
    const int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    int count = 0;
    for (std::size_t page = 0; page < bytes / os::kPageBytes; ++page) {
        std::uint64_t word = 0;
        const auto at = (reinterpret_cast<std::uintptr_t>(start) / os::kPageBytes + page) * sizeof word;
        if (pread(file, &word, sizeof word, static_cast<off_t>(at)) != sizeof word) {
            count = -1;
            break;
        }
        count += (word >> 56 & 1) != 0 ? 1 : 0;  // mapped by nobody else
    }
    close(file);
    return count;
}

template <class T>
bool is_short_object(const Handle<T>& handle) {
    return is_short_at(reinterpret_cast<std::byte*>(handle.pin().get()));
}

void fill(MovableHeap& heap, MovableBuffer& buffer, std::size_t bytes, std::size_t number) {
    REQUIRE(buffer.resize(heap, bytes).has_value());
    const Borrow borrow(heap);
    std::memset(buffer.in(borrow).data(), static_cast<int>(number % 251), bytes);
}
bool is_filled(MovableHeap& heap, const MovableBuffer& buffer, std::size_t bytes, std::size_t number) {
    const Borrow borrow(heap);
    const std::span<std::byte> found = buffer.in(borrow);
    std::size_t right = 0;
    for (const std::byte byte : found) {
        right += byte == static_cast<std::byte>(number % 251) ? 1U : 0U;
    }
    return found.size() == bytes && right == bytes;
}

}  // namespace

TEST_CASE("small objects with a name, moved as bytes, have short headers; others have long ones") {
    MovableHeap heap;
    CHECK(is_short_object(*make_handle<int>(heap, 1)));
    CHECK(is_short_object(*make_handle<char>(heap, 'a')));
    CHECK(!is_short_object(*make_handle<std::uint64_t>(heap, 1U)));
    CHECK(!is_short_object(*make_handle<Told>(heap, 1)));
    MovableBox<int> box = *make_box<int>(heap, 1);
    CHECK(!is_short_at(reinterpret_cast<std::byte*>(box.pin().get())));
    MovableBuffer buffer;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{1024}, std::size_t{1025}, std::size_t{40'000}, std::size_t{1} << 20}) {
        buffer.reset();
        fill(heap, buffer, bytes, bytes);
        CHECK(is_short_at(buffer.pin().begin()) == (bytes <= 1024));
        CHECK(buffer.capacity() >= bytes);
        CHECK(is_filled(heap, buffer, bytes, bytes));
    }
    CHECK((heap.broken_invariant() == nullptr));
}

TEST_CASE("objects with short headers are aligned as they ask, keep their bytes when they move, and end together close") {
    MovableHeap heap;
    std::vector<MovableBuffer> buffers(30'000);
    std::vector<Handle<int>> numbers(buffers.size());
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        fill(heap, buffers[i], 1 + i % 300, i);
        numbers[i] = *make_handle<int>(heap, static_cast<int>(i));
    }
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        if (i % 8 != 0) {
            buffers[i].reset();
            numbers[i].reset();
        }
    }
    const auto result = heap.compact();
    REQUIRE(result.has_value());
    CHECK(result->moved_objects != 0);
    CHECK(heap.move_everything());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < buffers.size(); i += 8) {
        heap.rename(buffers[i]);
        heap.rename(numbers[i]);
        wrong += is_filled(heap, buffers[i], 1 + i % 300, i) ? 0U : 1U;
        const auto pin = numbers[i].pin();
        wrong += *pin != static_cast<int>(i) || reinterpret_cast<std::uintptr_t>(pin.get()) % alignof(int) != 0 ? 1U : 0U;
    }
    CHECK(wrong == 0);
    CHECK((heap.broken_invariant() == nullptr));
}

TEST_CASE("names that a short header has no room for make long ones, and are not given to objects that have a short one") {
    MovableHeap heap;
    store_of(heap).short_names = 10;
    std::vector<Handle<int>> handles;
    for (int i = 0; i < 20; ++i) {
        handles.push_back(*make_handle<int>(heap, i));  // names from 1 on
        CHECK(is_short_object(handles.back()) == (i < 9));
    }
    handles[3].reset();
    heap.rename(handles[19]);  // takes the low name, and keeps its header
    CHECK(!is_short_object(handles[19]));
    for (int i = 0; i < 20; ++i) {
        if (i != 3) {
            CHECK(*handles[static_cast<std::size_t>(i)].pin() == i);
        }
    }
    CHECK((heap.broken_invariant() == nullptr));
    CHECK(heap.move_everything());
    CHECK((heap.broken_invariant() == nullptr));
}

TEST_CASE("an object with a short header on a packed page keeps its name where none is free that it has room for") {
    MovableHeap heap;
    auto handles = survivors<Number>(heap, 200'000, 16);
    REQUIRE(heap.compact().has_value());
    movable::Store& store = store_of(heap);
    const std::size_t records = store.names.counts().records;
    REQUIRE(records != 0);
    Handle<Number>& handle = handles[1600];
    const std::uint32_t name = name_of_object(handle);
    REQUIRE(store.names.place_of(name) != *store.names.entry_of(name));  // its page is packed
    const std::uint32_t former = std::exchange(store.short_names, 1);
    heap.rename(handle);
    CHECK(name_of_object(handle) == name);
    CHECK(handle.pin()->value == 1600);
    CHECK(store.names.counts().records == records);
    CHECK((heap.broken_invariant() == nullptr));  // the name that it did not take is free again
    store.short_names = former;
    heap.rename(handle);
    CHECK(name_of_object(handle) != name);
    CHECK(handle.pin()->value == 1600);
    CHECK((heap.broken_invariant() == nullptr));
}

TEST_CASE("an object with a short header may have as many pins as another, which end in any order") {
    MovableHeap heap;
    Handle<int> handle = *make_handle<int>(heap, 7);
    std::vector<Pin<int>> pins;
    auto pin = handle.try_pin();
    for (; pin && pins.size() < 2000; pin = handle.try_pin()) {
        pins.push_back(std::move(*pin));
        CHECK(store_of(heap).many_pins.rows() == (pins.size() > 30 ? 1U : 0U));
    }
    CHECK(pin.error() == Error{.kind = Errc::limit_reached, .number = 1022});
    CHECK(pins.size() == 1022);
    const int* const place = pins[0].get();
    CHECK(heap.move_everything());
    pins.resize(31);
    CHECK(store_of(heap).many_pins.rows() == 1);
    pins.resize(30);
    CHECK(store_of(heap).many_pins.rows() == 0);
    pins.push_back(handle.pin());
    CHECK(store_of(heap).many_pins.rows() == 1);
    pins.resize(1);
    CHECK(heap.move_everything());
    CHECK((handle.pin().get() == place));
    CHECK(store_of(heap).many_pins.rows() == 0);
    pins.clear();
    CHECK(heap.move_everything());
    CHECK((handle.pin().get() != place));
    CHECK(*handle.pin() == 7);
}

TEST_CASE("neither moving everything nor a child of fork writes to lists of sizes that nobody uses") {
    MovableHeap heap;
    movable::Store& store = store_of(heap);
    Handle<int> handle = *make_handle<int>(heap, 7);
    Handle<int> other = *make_handle<int>(heap, 8);
    const int before = written_pages(&store, movable::Store::own_bytes());
    if (before < 0) {
        MESSAGE("this kernel does not say which pages were written");
        return;
    }
    REQUIRE(before > 0);
    CHECK(heap.move_everything());
    heap.after_fork_in_child();
    CHECK(*handle.pin() == 7);
    CHECK(written_pages(&store, movable::Store::own_bytes()) <= before + 1);
}

TEST_CASE("hundreds of objects may have many pins at the same time") {
    MovableHeap heap;
    std::vector<Handle<int>> handles;
    std::vector<Pin<int>> pins;
    for (int i = 0; i < 700; ++i) {
        handles.push_back(*make_handle<int>(heap, i));
        for (int again = 0; again < 33; ++again) {
            pins.push_back(handles.back().pin());
        }
    }
    CHECK(store_of(heap).many_pins.rows() == 700);
    for (std::size_t i = 0; i < pins.size(); i += 2) {
        pins[i] = {};
    }
    CHECK(store_of(heap).many_pins.rows() == 0);
    pins.clear();
    CHECK(heap.move_everything());
    CHECK((heap.broken_invariant() == nullptr));
}

TEST_CASE("threads that pin one object more often than its header counts, and let go, leave no pin") {
    MovableHeap heap;
    Handle<int> handle = *make_handle<int>(heap, 7);
    Handle<int> other = *make_handle<int>(heap, 8);
    std::atomic<std::size_t> wrong{0};
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < 4; ++number) {
        threads.emplace_back([&, number] {
            const HandleRef<int> first(handle);
            const HandleRef<int> second(other);
            std::vector<Pin<int>> pins;
            for (std::size_t turn = 0; turn < 4000; ++turn) {
                const std::size_t wanted = (turn * 7 + number * 5) % 13;  // of all: around the 30 that a header counts
                while (pins.size() < wanted) {
                    pins.push_back(turn % 50 < 25 ? first.pin() : second.pin());
                    wrong += *pins.back() != (turn % 50 < 25 ? 7 : 8) ? 1U : 0U;
                }
                pins.resize(std::min(pins.size(), wanted));
            }
        });
    }
    for (int i = 0; i < 50; ++i) {
        static_cast<void>(heap.move_everything());
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
    CHECK(store_of(heap).many_pins.rows() == 0);
    const int* const place = handle.pin().get();
    CHECK(heap.move_everything());
    CHECK((handle.pin().get() != place));
    CHECK((heap.broken_invariant() == nullptr));
}

TEST_CASE("records of chunks that were given back go back, too, and the heap goes on") {
    MovableHeap heap;
    std::vector<MovableBuffer> buffers(std::size_t{64} * 300);  // chunks of 256 KiB: several pages of records
    for (int turn = 0; turn < 2; ++turn) {
        for (std::size_t i = 0; i < buffers.size(); ++i) {
            fill(heap, buffers[i], 3000, i);
        }
        for (std::size_t i = 0; i < buffers.size(); ++i) {
            if (i % 100 != 0) {
                buffers[i].reset();
            }
        }
        REQUIRE(heap.compact().has_value());
        std::uint32_t next = 0;
        CHECK(store_of(heap).chunks.trim_records(next) == 0);  // the compaction has
        CHECK(next == movable::kNoChunk);
        CHECK((store_of(heap).chunks[64 * 2].list == 0));
        for (std::size_t i = 0; i < buffers.size(); i += 100) {
            CHECK(is_filled(heap, buffers[i], 3000, i));
            buffers[i].reset();
        }
        CHECK((heap.broken_invariant() == nullptr));
    }
}

TEST_CASE("records of chunks go back page by page when the time is over, and a later call goes on") {
    MovableHeap heap;
    std::vector<MovableBuffer> buffers(std::size_t{64} * 300);
    for (MovableBuffer& buffer : buffers) {
        REQUIRE(buffer.resize(heap, 3000).has_value());
    }
    for (MovableBuffer& buffer : buffers) {
        buffer.reset();
    }
    movable::Chunks& chunks = store_of(heap).chunks;
    static_cast<void>(chunks.trim(0));
    const std::size_t pages = chunks.used_end() / 64;
    REQUIRE(pages > 1);
    std::size_t calls = 0;
    for (std::uint32_t next = 0; next != movable::kNoChunk; ++calls) {
        CHECK(chunks.trim_records(next, 0) == os::kPageBytes);
        CHECK((next == movable::kNoChunk || next == (calls + 1) * 64));
    }
    CHECK(calls == pages);
    REQUIRE(heap.compact().has_value());
    CHECK((heap.broken_invariant() == nullptr));
}

}  // namespace heapwright::test
