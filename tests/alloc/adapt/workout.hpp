// Whole containers of the standard library, put to work over an allocator and compared with the same over std::allocator.
#pragma once

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <scoped_allocator>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {

/// `Rebind<T>` is the allocator for T; each can be made from `origin`.
template <template <class> class Rebind, class Origin>
class Workout {
public:
    using String = std::basic_string<char, std::char_traits<char>, Rebind<char>>;

    explicit Workout(Origin origin) : origin_(origin) {}

    void run() {
        vectors();
        lists();
        maps();
        unordered();
        deques();
        strings();
        whole_lives();
        nested();
    }

private:
    template <class T>
    [[nodiscard]] Rebind<T> get() const {
        return Rebind<T>{origin_};
    }

    void vectors() {
        std::vector<int, Rebind<int>> numbers(get<int>());
        std::vector<int> expected;
        for (int value = 0; value < 3000; ++value) {
            numbers.push_back(value * 7);
            expected.push_back(value * 7);
        }
        numbers.insert(numbers.begin() + 5, 100, -1);
        expected.insert(expected.begin() + 5, 100, -1);
        numbers.erase(numbers.begin() + 50, numbers.begin() + 700);
        expected.erase(expected.begin() + 50, expected.begin() + 700);
        numbers.shrink_to_fit();
        CHECK(std::equal(numbers.begin(), numbers.end(), expected.begin(), expected.end()));
    }
    void lists() {
        std::list<long, Rebind<long>> numbers(get<long>());
        std::list<long> expected;
        Random random{31};
        for (int step = 0; step < 2000; ++step) {
            const auto value = static_cast<long>(random.below(500));
            numbers.push_back(value);
            expected.push_back(value);
            if (random.one_in(3)) {
                numbers.pop_front();
                expected.pop_front();
            }
        }
        numbers.sort();
        expected.sort();
        numbers.unique();
        expected.unique();
        CHECK(std::equal(numbers.begin(), numbers.end(), expected.begin(), expected.end()));
    }
    void maps() {
        std::map<int, int, std::less<>, Rebind<std::pair<const int, int>>> map(get<std::pair<const int, int>>());
        std::map<int, int> expected;
        Random random{32};
        for (int step = 0; step < 3000; ++step) {
            const int key = static_cast<int>(random.below(300));
            if (random.one_in(3)) {
                CHECK(map.erase(key) == expected.erase(key));
            } else {
                map[key] = step;
                expected[key] = step;
            }
        }
        CHECK(std::equal(map.begin(), map.end(), expected.begin(), expected.end()));
    }
    void unordered() {
        using Map = std::unordered_map<int, String, std::hash<int>, std::equal_to<>, Rebind<std::pair<const int, String>>>;
        Map map(16, get<std::pair<const int, String>>());
        for (int key = 0; key < 1000; ++key) {
            map.emplace(key, String(static_cast<std::size_t>(key % 60), 'x', get<char>()));
        }
        for (int key = 0; key < 1000; key += 2) {
            CHECK(map.erase(key) == 1);
        }
        CHECK(map.size() == 500);
        CHECK(map.at(59).size() == 59);
    }
    void deques() {
        std::deque<int, Rebind<int>> numbers(get<int>());
        long sum = 0;
        for (int value = 0; value < 5000; ++value) {
            value % 2 == 0 ? numbers.push_back(value) : numbers.push_front(value);
            if (value % 5 == 0) {
                sum += numbers.front();
                numbers.pop_front();
            }
        }
        for (const int value : numbers) {
            sum += value;
        }
        CHECK(sum == 5000L * 4999 / 2);
    }
    void strings() {
        String text("a text that is too long for the small buffer", get<char>());
        for (int count = 0; count < 6; ++count) {
            text += text;
        }
        text.replace(10, 20, "short");
        CHECK(text.find("short") == 10);
        CHECK(text.compare(0, 6, "a text") == 0);
    }
    /// Copies, moves, swaps and assignments, within one allocator.
    void whole_lives() {
        using Vector = std::vector<String, Rebind<String>>;
        Vector first(get<String>());
        for (int count = 0; count < 100; ++count) {
            first.push_back(String("another text that is too long for the small buffer", get<char>()));
        }
        Vector copied(first, get<String>());  // said, as a polymorphic one would take the default resource
        Vector moved = std::move(copied);
        Vector assigned(get<String>());
        assigned = moved;
        moved.resize(3, String(get<char>()));
        assigned.swap(moved);
        CHECK(assigned.size() == 3);
        CHECK(moved == first);
        assigned = std::move(moved);
        CHECK(assigned == first);
    }
    /// The strings of a vector come from the vector's allocator without being told.
    void nested() {
        // A polymorphic allocator hands itself down by itself.
        using Scoped = std::conditional_t<std::is_same_v<Rebind<int>, std::pmr::polymorphic_allocator<int>>, Rebind<String>,
                                          std::scoped_allocator_adaptor<Rebind<String>>>;
        std::vector<String, Scoped> texts(Scoped{get<String>()});
        for (int count = 0; count < 50; ++count) {
            texts.emplace_back("one more text that is too long for the small buffer");
        }
        CHECK(texts.back().get_allocator() == texts.get_allocator());
        CHECK(texts.front() == texts.back());
    }

    Origin origin_;
};

}  // namespace heapwright::test
