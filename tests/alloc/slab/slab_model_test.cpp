// Random steps of a slab against a map from keys to values that remembers every key that ever was.
#include <map>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/slab/slab.hpp>

#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

template <class Key>
class Model {
public:
    explicit Model(std::uint64_t salt) : random_(salt) {}

    void run(int steps) {
        for (int step = 0; step < steps; ++step) {
            const std::uint64_t tide = step / 2000 % 2 == 0 ? 60 : 40;
            const std::uint64_t act = random_.below(100);
            if (act < tide) {
                insert();
            } else if (act < 97) {
                erase();
            } else if (act < 98) {
                erase_some();
            } else {
                look_for_dead_keys();
            }
            if (random_.one_in(50)) {
                check_all();
            }
            if (random_.one_in(1000)) {
                slab_.trim();
            }
        }
        check_all();
    }

private:
    void insert() {
        const std::uint64_t value = random_.next();
        const Key key = slab_.try_insert(value);
        REQUIRE(static_cast<bool>(key));
        REQUIRE_MESSAGE(!live_.contains(key), "a live key was given again");
        live_[key] = value;
        keys_.push_back(key);
    }
    void erase() {
        if (keys_.empty()) {
            return;
        }
        const std::size_t victim = random_.below(keys_.size());
        const Key key = keys_[victim];
        keys_[victim] = keys_.back();
        keys_.pop_back();
        REQUIRE(slab_[key] == live_.at(key));
        REQUIRE(slab_.erase(key));
        live_.erase(key);
        dead_.push_back(key);
    }
    void erase_some() {
        const std::uint64_t bits = random_.below(8);
        const auto is_condemned = [bits](std::uint64_t value) { return value % 8 == bits; };
        CHECK(slab_.erase_if(is_condemned) == std::erase_if(live_, [&](const auto& entry) { return is_condemned(entry.second); }));
        std::erase_if(keys_, [&](Key key) {
            const bool is_dead = !live_.contains(key);
            if (is_dead) {
                dead_.push_back(key);
            }
            return is_dead;
        });
    }
    void look_for_dead_keys() {
        for (int look = 0; look < 50 && !dead_.empty(); ++look) {
            const Key key = dead_[random_.below(dead_.size())];
            REQUIRE_MESSAGE(slab_.find(key) == nullptr, "a dead key came alive");
        }
    }
    void check_all() {
        const char* const broken = slab_.broken_invariant();
        REQUIRE_MESSAGE(broken == nullptr, broken);
        REQUIRE(slab_.size() == live_.size());
        std::size_t visited = 0;
        slab_.for_each([&](Key key, std::uint64_t value) {
            REQUIRE(live_.at(key) == value);
            ++visited;
        });
        REQUIRE(visited == live_.size());
    }

    test::FailingSource source_;
    Slab<std::uint64_t, Key, 2048> slab_{source_};
    std::map<Key, std::uint64_t> live_;
    std::vector<Key> keys_;
    std::vector<Key> dead_;
    test::Random random_;
};

TEST_CASE_TEMPLATE("random steps agree with a map", Key, BasicSlabKey<std::uint8_t>, BasicSlabKey<std::uint16_t>, SlabKey, WideSlabKey) {
    Model<Key>{21}.run(12'000);
}

}  // namespace
}  // namespace heapwright
