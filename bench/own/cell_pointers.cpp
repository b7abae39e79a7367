// What do pointers by distance cost, beside plain ones and Boost's: a hop along a list, a sum over a row, a walk of a tree?
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include <heapwright/own/cell/self_ptr.hpp>

#include <bench/own/cell_rows.hpp>

#if __has_include(<boost/interprocess/offset_ptr.hpp>)
#include <boost/interprocess/offset_ptr.hpp>
#define BENCH_HAS_BOOST 1
#endif

namespace {

using namespace heapwright;

constexpr std::uint32_t kNodes = 4096;  // they fit into the second cache: arithmetic is what differs, not memory
constexpr std::uint32_t kNumbers = 4096;
constexpr int kRounds = 100;

template <class T>
T* plain(T* pointer) {
    return pointer;
}
template <class Pointer>
auto plain(const Pointer& pointer) {
    return pointer.get();
}

template <template <class> class Pointer>
struct Node {
    Pointer<Node> next{nullptr};
    std::uint32_t value = 0;
};

/// A list through all nodes in random order.
template <template <class> class Pointer>
void add_chase(bench::Rows& rows, const char* who) {
    using Link = Node<Pointer>;
    const auto nodes = std::make_shared<std::vector<Link>>(kNodes);
    const std::vector<std::uint32_t> order = bench::shuffled(kNodes);
    for (std::uint32_t index = 0; index + 1 < kNodes; ++index) {
        (*nodes)[order[index]].next = &(*nodes)[order[index + 1]];
        (*nodes)[order[index]].value = index;
    }
    const Link* const first = &(*nodes)[order[0]];
    rows.add("offset pointers", "hop along a list of 4096", who, double{kNodes} * kRounds, [nodes, first] {
        for (int round = 0; round < kRounds; ++round) {
            std::uint64_t sum = 0;
            for (const Link* node = first; node != nullptr; node = plain(node->next)) {
                sum += node->value;
            }
            const std::uint64_t total = sum;
            bench::escape(&total);
        }
    });
}

template <class T>
using Raw = T*;
template <class T>
using Self32 = SelfPtr<T, std::int32_t>;
template <class T>
using Self64 = SelfPtr<T, std::int64_t>;
#ifdef BENCH_HAS_BOOST
template <class T>
using Boost = boost::interprocess::offset_ptr<T>;
#endif

/// As each library's users write it: over whatever its begin and end are.
template <class Begin>
void add_sum(bench::Rows& rows, const char* who, std::shared_ptr<std::vector<std::uint32_t>> numbers, Begin begin) {
    rows.add("offset pointers", "sum of a row of 4096 u32, an element", who, double{kNumbers} * kRounds, [numbers, begin] {
        for (int round = 0; round < kRounds; ++round) {
            std::uint32_t sum = 0;
            auto at = begin();
            const auto end = at + kNumbers;
            for (; at != end; ++at) {
                sum += *at;
            }
            const std::uint32_t total = sum;  // whose address may be taken, without the loop having to write to memory
            bench::escape(&total);
        }
    });
}

void add_sums(bench::Rows& rows) {
    const auto numbers = std::make_shared<std::vector<std::uint32_t>>(kNumbers);
    std::iota(numbers->begin(), numbers->end(), 1U);
    add_sum(rows, "plain pointer", numbers, [data = numbers->data()] { return data; });
    const auto span = std::make_shared<SelfSpan<std::uint32_t, std::int64_t>>();
    span->set(numbers->data(), numbers->size());
    add_sum(rows, "heapwright SelfSpan", numbers, [span] { return span->begin(); });
#ifdef BENCH_HAS_BOOST
    const auto offset = std::make_shared<Boost<std::uint32_t>>(numbers->data());
    add_sum(rows, "boost::interprocess::offset_ptr", numbers, [offset] { return *offset; });
#endif
}

}  // namespace

int main(int count, char** arguments) {
    bench::Rows rows;
    add_chase<Raw>(rows, "plain pointer");
    add_chase<Self32>(rows, "heapwright SelfPtr, 32 bits");
    add_chase<Self64>(rows, "heapwright SelfPtr, 64 bits");
#ifdef BENCH_HAS_BOOST
    add_chase<Boost>(rows, "boost::interprocess::offset_ptr");
#endif
    add_sums(rows);
    return rows.start(count, arguments);
}
