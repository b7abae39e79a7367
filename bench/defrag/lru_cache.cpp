// A cache of 100 MB that evicts the oldest of some samples: values of 240 bytes, then of 492; then half of all expires.
#include <bench/defrag/defrag.hpp>

namespace {

constexpr std::size_t kParts = 4;  // a table entry, a key, an object's head, the value

class Cache {
public:
    Cache(std::size_t most_entries, std::size_t limit_bytes)
        : objects_(most_entries * kParts), used_at_(most_entries), limit_bytes_{limit_bytes} {}

    void insert(std::size_t value_bytes) {
        const std::size_t sizes[kParts] = {24, 16, 24, value_bytes};
        while (bytes_ + 64 + value_bytes > limit_bytes_ || entries_ == used_at_.size()) {
            evict();
        }
        for (std::size_t part = 0; part < kParts; ++part) {
            objects_[entries_ * kParts + part].make(sizes[part], ++stamp_);
            bytes_ += sizes[part];
        }
        used_at_[entries_++] = stamp_;
        // Some entries are used again.
        used_at_[random_.below(entries_)] = stamp_;
    }
    void remove(std::size_t entry) {
        --entries_;
        for (std::size_t part = 0; part < kParts; ++part) {
            defrag::Object& object = objects_[entry * kParts + part];
            bytes_ -= object.bytes;
            object.end();
            object = objects_[entries_ * kParts + part];
            objects_[entries_ * kParts + part] = {};
        }
        used_at_[entry] = used_at_[entries_];
    }
    void expire_half() {
        for (std::size_t left = entries_ / 2; entries_ > left;) {
            remove(random_.below(entries_));
        }
    }
    [[nodiscard]] defrag::Object* begin() { return objects_.begin(); }
    [[nodiscard]] defrag::Object* end() { return objects_.begin() + entries_ * kParts; }

private:
    void evict() {
        std::size_t oldest = random_.below(entries_);
        for (unsigned sample = 1; sample < 5; ++sample) {
            const std::size_t other = random_.below(entries_);
            oldest = used_at_[other] < used_at_[oldest] ? other : oldest;
        }
        remove(oldest);
    }

    defrag::Table<defrag::Object> objects_;
    defrag::Table<std::uint32_t> used_at_;
    std::size_t limit_bytes_;
    std::size_t bytes_ = 0;
    std::size_t entries_ = 0;
    std::uint32_t stamp_ = 0;
    defrag::Random random_{2};
};

}  // namespace

int main(int count, char** words) {
    defrag::Run run(count, words);
    const std::size_t limit = run.of(100'000'000);
    Cache cache(limit / 300, limit);
    run.begin();
    for (std::size_t i = run.of(700'000); i != 0; --i) {
        cache.insert(240);
    }
    run.stage("filled", cache.begin(), cache.end());
    for (std::size_t i = run.of(170'000); i != 0; --i) {
        cache.insert(492);
    }
    run.stage("larger_values", cache.begin(), cache.end());
    cache.expire_half();
    run.stage("half_expired", cache.begin(), cache.end());
    defrag::end_all(cache.begin(), cache.end());
    run.freed();
}
