// The same arena in constant expressions, over a buffer.
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {
namespace {

constexpr int sum_of_squares(int count) {
    std::array<std::byte, 256> buffer{};
    Arena arena{std::span<std::byte>{buffer}};
    struct Node {
        int value;
        Node* next;
    };
    Node* head = nullptr;
    for (int value = 1; value <= count; ++value) {
        head = &arena.create<Node>(value * value, head);
    }
    int sum = 0;
    for (; head != nullptr; head = head->next) {
        sum += head->value;
    }
    return sum;
}

constexpr bool buffer_is_enough(std::size_t objects) {
    std::array<std::byte, 64> buffer{};
    Arena arena{std::span<std::byte>{buffer}};
    for (std::size_t object = 0; object < objects; ++object) {
        if (arena.try_create<long>(1L) == nullptr) {
            return false;
        }
    }
    return true;
}

constexpr std::size_t text_survives() {
    std::array<std::byte, 64> buffer{};
    Arena arena{std::span<std::byte>{buffer}};
    const std::string_view kept = arena.copy("kept");
    {
        Region region{arena};
        static_cast<void>(arena.copy("dropped"));
    }
    arena.create<int>(1);
    return kept.size();
}

TEST_CASE("an arena over a buffer works in constant expressions, and is as full there as the buffer says") {
    static_assert(sum_of_squares(3) == 14);
    static_assert(buffer_is_enough(8));
    static_assert(!buffer_is_enough(9));
    static_assert(text_survives() == 4);
    CHECK(sum_of_squares(3) == 14);
}

}  // namespace
}  // namespace heapwright
