// Objects of eight classes by new and by delete with the size, in a scene whose members change all the time.
#include <array>
#include <tuple>
#include <utility>

#include <bench/malloc/workload.hpp>

namespace {

/// Objects differ in size only; the compiler passes it to operator delete.
template <std::size_t kWords>
struct Thing {
    explicit Thing(std::uint64_t tag) {
        for (std::uint64_t& word : words) {
            word = tag;
        }
    }
    [[nodiscard]] std::uint64_t value() const {
        if (words.front() != words.back()) {
            workload::fail("an object was overwritten");
        }
        return workload::mixed(words.front() + kWords);
    }
    std::array<std::uint64_t, kWords> words;
};

template <std::size_t kWords>
using Table = std::vector<Thing<kWords>*>;

template <std::size_t kWords>
std::uint64_t replace(Table<kWords>& table, workload::Random& random, std::uint64_t tag) {
    Thing<kWords>*& place = table[random.below(table.size())];
    const std::uint64_t value = place == nullptr ? 0 : place->value();
    delete place;
    place = new Thing<kWords>{tag};
    return value;
}

template <std::size_t kWords>
std::uint64_t clear(Table<kWords>& table) {
    std::uint64_t sum = 0;
    for (Thing<kWords>* thing : table) {
        sum += thing == nullptr ? 0 : thing->value();
        delete thing;
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    workload::Random random{20};
    const std::size_t live = 4000;
    std::tuple<Table<2>, Table<3>, Table<4>, Table<6>, Table<8>, Table<12>, Table<20>, Table<40>> scene;
    std::apply([&](auto&... tables) { (tables.resize(live), ...); }, scene);
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < scale.of(3'000'000); ++i) {
        std::apply([&](auto&... tables) { checksum += (replace(tables, random, i) + ...); }, scene);
    }
    std::apply([&](auto&... tables) { checksum += (clear(tables) + ...); }, scene);
    return workload::finish(checksum);
}
