// How do I build objects in raw memory one by one, and lose none when building one of them fails?
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

#include <heapwright/arena.hpp>
#include <heapwright/cell.hpp>

namespace {

struct Lane {
    static inline int open = 0;
    explicit Lane(std::size_t number) : name("lane " + std::to_string(number)) {
        number == 7 ? throw std::runtime_error("lane 7 is closed") : ++open;
    }
    ~Lane() { --open; }
    std::string name;
};
/// A queue of fixed size in place: no heap, and no T that need not be there.
template <class T, std::size_t Capacity>
class Ring {
public:
    ~Ring() {
        while (size_ > 0) {
            static_cast<void>(pop());
        }
    }
    void push(T value) { rooms_[(first_ + size_++) % Capacity].construct(std::move(value)); }
    T pop() {
        --size_;
        return rooms_[std::exchange(first_, (first_ + 1) % Capacity)].take();
    }

private:
    heapwright::Uninit<T> rooms_[Capacity];
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};
}  // namespace

int main() {
    heapwright::Arena arena{heapwright::os::kPages};
    auto* const row = static_cast<Lane*>(arena.allocate(*heapwright::Layout::array<Lane>(10)));
    bool has_failed = false;
    try {
        heapwright::construct_array_guarded(row, 10, [](std::size_t index) { return Lane{index}; });
    } catch (const std::runtime_error&) {
        has_failed = true;  // lanes 6 to 0 have been closed again, in this order
    }
    const int open_then = Lane::open;
    heapwright::construct_array_guarded(row, 7, [](std::size_t index) { return Lane{index}; });
    Ring<std::string, 4> ring;
    ring.push(row[6].name);
    ring.push("a text that is too long for the small buffer of a string");
    const std::string first = ring.pop();  // the other text ends with the ring
    heapwright::destroy_array(row, 7);
    std::printf("%s went through a ring of %zu bytes\n", first.c_str(), sizeof(ring));
    return has_failed && open_then == 0 && Lane::open == 0 && first == "lane 6" ? 0 : 1;
}
