// Random steps against a model that remembers every byte, as programs do them and with everything moved all the time.
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/own/handle/box.hpp>
#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/string.hpp>
#include <heapwright/own/handle/vector.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {

namespace {

struct Named {
    explicit Named(std::uint64_t number) : name(std::to_string(number)) {}
    std::string name;
    MovableBox<std::uint64_t> box;
};

/// One owner of each kind, and what it should hold.
struct Entry {
    MovableBuffer bytes;
    std::uint64_t seed = 0;
    Handle<Named> named;
    std::uint64_t number = 0;
    Pin<Named> pin;
    const Named* place = nullptr;
};

class Model {
public:
    Model(const MovableHeapOptions& options, std::uint64_t salt) : heap_(options), random_(salt), entries_(200) {}

    void step() {
        Entry& entry = entries_[random_.below(entries_.size())];
        switch (random_.below(12)) {
            case 0:
            case 1: write(entry); break;
            case 2: entry.bytes.reset(); break;
            case 3: make(entry); break;
            case 4: end(entry); break;
            case 5: pin(entry); break;
            case 6: unpin(entry); break;
            case 7: std::swap(entry, entries_[random_.below(entries_.size())]); break;
            case 8: heap_.rename(entry.named); break;
            case 9: static_cast<void>(heap_.compact(random_.below(200'000))); break;
            case 10: heap_.tick(); break;
            default: heap_.move_everything(); break;
        }
    }

    void check() {
        REQUIRE_MESSAGE(heap_.broken_invariant() == nullptr, std::string(heap_.broken_invariant()));
        const Borrow borrow(heap_);
        for (Entry& entry : entries_) {
            Random expected(entry.seed);
            std::size_t wrong = 0;
            for (const std::byte byte : entry.bytes.in(borrow)) {
                wrong += byte != static_cast<std::byte>(expected.next()) ? 1U : 0U;
            }
            REQUIRE(wrong == 0);
            if (entry.named) {
                REQUIRE(borrow[entry.named].name == std::to_string(entry.number));
                REQUIRE(borrow[borrow[entry.named].box] == entry.number);
            }
            REQUIRE((!entry.pin || entry.pin.get() == entry.place));
        }
    }

    [[nodiscard]] MovableHeapStats stats() const { return heap_.stats(); }
    ~Model() {
        for (Entry& entry : entries_) {
            unpin(entry);
        }
    }

private:
    void write(Entry& entry) {
        entry.seed = random_.next();
        const std::size_t bytes = random_.one_in(50) ? random_.below(100'000) : random_.size_up_to(2000);
        if (entry.bytes.resize(heap_, bytes)) {
            Random letters(entry.seed);
            for (std::byte& byte : entry.bytes.pin()) {
                byte = static_cast<std::byte>(letters.next());
            }
        } else {
            entry.bytes.reset();
        }
    }
    void make(Entry& entry) {
        end(entry);
        entry.number = random_.next();
        auto made = make_handle<Named>(heap_, entry.number);
        if (!made) {
            return;
        }
        auto box = make_box<std::uint64_t>(heap_, entry.number);
        if (box) {
            made->pin()->box = std::move(*box);
            entry.named = std::move(*made);
        }
    }
    static void end(Entry& entry) {
        unpin(entry);
        entry.named.reset();
    }
    static void pin(Entry& entry) {
        if (entry.named) {
            entry.pin = entry.named.pin();
            entry.place = entry.pin.get();
        }
    }
    static void unpin(Entry& entry) { entry.pin = {}; }

    MovableHeap heap_;
    Random random_;
    std::vector<Entry> entries_;
};

constexpr int kShare = HEAPWRIGHT_UNDER_TSAN != 0 || HEAPWRIGHT_UNDER_ASAN != 0 ? 4 : 1;  // of the steps

void run(const MovableHeapOptions& options, std::uint64_t salt, int steps, int between) {
    Model model(options, salt);
    for (int i = 0; i < steps / kShare; ++i) {
        model.step();
        if (i % between == 0) {
            model.check();
        }
    }
    model.check();
}

}  // namespace

TEST_CASE("random steps leave every byte, every pin and every invariant as they should be") {
    for (std::uint64_t salt = 0; salt < 4; ++salt) {
        run({}, salt, 2000, 50);
    }
}

TEST_CASE("random steps while everything moves at each allocation") {
    MovableHeapOptions options;
    options.stress = 1;
    run(options, 10, 2500, 25);
}

TEST_CASE("random steps at a limit that is met all the time") {
    MovableHeapOptions options;
    options.limit_bytes = 300'000;
    options.cpu_millionths = 1'000'000;
    Model model(options, 20);
    for (int i = 0; i < 6000 / kShare; ++i) {
        model.step();
        if (i % 50 == 0) {
            model.check();
        }
        REQUIRE(model.stats().resident_bytes <= options.limit_bytes);
    }
    CHECK(model.stats().refusals > 0);
}

}  // namespace heapwright::test
