// What does a persistent vector cost beside std::vector, and when does it win: growth, walk, change, versions kept?
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <heapwright/own/cell/persistent_vector.hpp>

#include <bench/own/cell_rows.hpp>

namespace {

using heapwright::PersistentVector;

constexpr std::uint64_t kSize = 100'000;
constexpr std::uint64_t kEdits = 100;

/// operator new, for which both sides pay the same.
struct New {
    static void* try_allocate(heapwright::Layout layout) noexcept { return ::operator new(layout.size, std::nothrow); }
    static void deallocate(void* block, heapwright::Layout layout) noexcept { ::operator delete(block, layout.size); }
};
constinit New news;

void add_growth(bench::Rows& rows) {
    rows.add("versions", "push_back of 100k, and the end, an element", "std::vector", kSize, [] {
        std::vector<std::uint64_t> vector;
        for (std::uint64_t number = 0; number < kSize; ++number) {
            vector.push_back(number);
        }
        bench::escape(vector.data());
    });
    rows.add("versions", "push_back of 100k, and the end, an element", "heapwright PersistentVector", kSize, [] {
        PersistentVector<std::uint64_t> vector{news};
        for (std::uint64_t number = 0; number < kSize; ++number) {
            vector.push_back(number);
        }
        bench::escape(&vector);
    });
}

template <class Vector>
void add_use(bench::Rows& rows, const char* who, const std::shared_ptr<Vector>& vector) {
    rows.add("versions", "walk of 100k by iterator, an element", who, kSize, [vector] {
        std::uint64_t sum = 0;
        for (const std::uint64_t number : *vector) {
            sum += number;
        }
        bench::escape(&sum);
    });
    rows.add("versions", "look-up at random, of 100k", who, kSize, [vector] {
        bench::Random random{3};
        std::uint64_t sum = 0;
        for (std::uint64_t look = 0; look < kSize; ++look) {
            sum += (*vector)[random.below(kSize)];
        }
        bench::escape(&sum);
    });
}

void add_versions(bench::Rows& rows, const std::shared_ptr<std::vector<std::uint64_t>>& plain,
                  const std::shared_ptr<PersistentVector<std::uint64_t>>& persistent) {
    rows.add("versions", "change of one of 100k, the old version kept", "std::vector, copied", kEdits, [plain] {
        bench::Random random{5};
        for (std::uint64_t edit = 0; edit < kEdits; ++edit) {
            std::vector<std::uint64_t> next = *plain;
            next[random.below(kSize)] = edit;
            bench::escape(next.data());
        }
    });
    rows.add("versions", "change of one of 100k, the old version kept", "heapwright PersistentVector", kEdits, [persistent] {
        bench::Random random{5};
        for (std::uint64_t edit = 0; edit < kEdits; ++edit) {
            PersistentVector<std::uint64_t> next = *persistent;
            next.set(random.below(kSize), edit);
            bench::escape(&next);
        }
    });
    rows.add("versions", "change of one of 100k in place", "heapwright PersistentVector", kSize, [persistent] {
        PersistentVector<std::uint64_t> mine = std::move(*persistent);  // alone again, so that nothing is copied
        bench::Random random{5};
        for (std::uint64_t edit = 0; edit < kSize; ++edit) {
            mine.set(random.below(kSize), edit);
        }
        *persistent = std::move(mine);
    });
}

}  // namespace

int main(int count, char** arguments) {
    bench::Rows rows;
    const auto plain = std::make_shared<std::vector<std::uint64_t>>();
    const auto persistent = std::make_shared<PersistentVector<std::uint64_t>>(news);
    for (std::uint64_t number = 0; number < kSize; ++number) {
        plain->push_back(number);
        persistent->push_back(number);
    }
    add_growth(rows);
    add_use(rows, "std::vector", plain);
    add_use(rows, "heapwright PersistentVector", persistent);
    add_versions(rows, plain, persistent);
    return rows.start(count, arguments);
}
