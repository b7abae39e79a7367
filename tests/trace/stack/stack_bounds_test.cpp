// Where stacks end: the main thread's, another thread's, a foreign one.
#include <heapwright/trace/stack/stack_bounds.hpp>

#include <array>
#include <thread>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/os/maps.hpp>

using namespace heapwright::trace::stack;

namespace {

std::uintptr_t stack_pointer() { return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)); }

std::array<char, heapwright::os::kMapsBufferBytes> buffer;

}  // namespace

TEST_CASE("a thread's own stack is found once and contains what is on it") {
    const auto look = [] {
        std::array<char, heapwright::os::kMapsBufferBytes> own_buffer;
        StackBounds bounds;
        const StackRange range = bounds.find(stack_pointer(), own_buffer);
        CHECK(range.contains(stack_pointer()));
        CHECK(range.high % 8 == 0);
        CHECK(bounds.is_own(range));
        CHECK(bounds.find(stack_pointer() - 64, own_buffer) == range);
    };
    std::thread{look}.join();
    look();
}

TEST_CASE("memory that is not the thread's stack is a foreign one") {
    constexpr std::size_t kBytes = 65536;
    void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    const auto start = reinterpret_cast<std::uintptr_t>(memory);
    StackBounds bounds;
    const StackRange own = bounds.find(stack_pointer(), buffer);
    const StackRange foreign = bounds.find(start + 4096, buffer);
    CHECK(foreign.contains(start));
    CHECK(foreign.high >= start + kBytes);
    CHECK_FALSE(bounds.is_own(foreign));
    CHECK(bounds.find(stack_pointer(), buffer) == own);
    munmap(memory, kBytes);
    bounds.forget_foreign();
    CHECK(bounds.find(start + 4096, buffer) == StackRange{});
}

TEST_CASE("what cannot be a stack gives an empty range") {
    StackBounds bounds;
    CHECK(bounds.find(0, buffer) == StackRange{});
    CHECK(bounds.find(reinterpret_cast<std::uintptr_t>(&stack_pointer), buffer) == StackRange{});  // not writable
    CHECK_FALSE(StackRange{}.contains(0));
}

TEST_CASE("limits that were told are used as they are") {
    StackBounds bounds;
    bounds.set_own({1 << 20, 2 << 20});
    CHECK(bounds.find((1 << 20) + 8, buffer) == StackRange{1 << 20, 2 << 20});
}
