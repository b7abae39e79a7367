// The random program: who allocates what, where it lands, and how the threads' events end up in chunks.
#include <tests/study/analysis/random_trace.hpp>

#include <algorithm>
#include <map>
#include <set>

#include <tests/support/random.hpp>
#include <tests/trace/read/trace_builder.hpp>

namespace heapwright::test {
namespace {

using namespace trace;

constexpr std::uint64_t kHeapBegin = 0x55550000'1010;
constexpr std::uint64_t kMapBegin = 0x7f000000'0010;

/// Hands out addresses: the lowest gap that fits, large blocks elsewhere, each on pages of its own.
class Addresses {
public:
    std::uint64_t take(std::uint64_t size, Random& random) {
        const std::uint64_t bytes = test_usable(size) + 8;
        if (bytes > 100'000) {
            next_map_ += random.between(1, 3) << 21;
            return used_[next_map_] = bytes, next_map_;
        }
        std::uint64_t at = kHeapBegin + (random.one_in(20) ? random.below(16) << 22 : 0);
        for (auto [begin, length] : used_) {
            if (begin >= at + bytes) {
                break;
            }
            at = std::max(at, begin + length);
        }
        return used_[at] = bytes, at;
    }
    void give_back(std::uint64_t address) { used_.erase(address); }

private:
    std::map<std::uint64_t, std::uint64_t> used_;
    std::uint64_t next_map_ = kMapBegin;
};

struct Live {
    std::uint64_t address;
    std::uint64_t size;
    Call call;
};

class Program {
public:
    Program(std::uint64_t salt, const RandomTraceOptions& options) : random_(salt), options_(options) {}

    RandomTrace run() {
        make_stacks();
        for (std::size_t step = 0; step < options_.steps; ++step) {
            tick_ += options_.ties && random_.one_in(6) ? 0 : random_.one_in(50) ? random_.below(100'000) : random_.between(1, 300);
            const auto thread = static_cast<std::uint32_t>(random_.between(1, options_.threads));
            if (resizing_.contains(thread)) {
                if (random_.one_in(2)) {
                    finish_resize(thread);
                }
                continue;
            }
            act(thread);
        }
        write();
        return std::move(trace_);
    }

private:
    struct Resizing {
        Live old;
        bool freed_early = false;  // the allocator has moved the block, and its place may be handed out again
    };

    void make_stacks() {
        trace_.stacks.push_back({});
        builder_.modules({ModuleInfo{.path = "/usr/bin/victim", .build_id = {1, 2}, .begin = 0x1000, .end = 0x9000, .bias = 0x1000}});
        for (int i = 0; i < 12; ++i) {
            std::vector<std::uint64_t> pcs;
            for (std::uint64_t depth = random_.between(1, 5); depth > 0; --depth) {
                pcs.push_back(0x1000 + random_.between(1, 3) * 16);
            }
            note_stack(pcs);
        }
    }
    void note_stack(const std::vector<std::uint64_t>& pcs) {
        const auto id = static_cast<std::size_t>(builder_.stack(pcs));
        trace_.stacks.resize(std::max(trace_.stacks.size(), id + 1));
        trace_.stacks[id] = pcs;
        usable_stacks_.push_back(static_cast<StackId>(id));
    }

    std::uint64_t some_size() {
        if (random_.one_in(40)) {
            return random_.between(120'000, 900'000);
        }
        if (random_.one_in(30)) {
            return 0;
        }
        return random_.one_in(8) ? random_.between(1000, 20'000) : random_.between(1, 300);
    }
    StackId some_stack() { return random_.one_in(12) ? StackId::none : usable_stacks_[random_.below(usable_stacks_.size())]; }

    void emit(EventKind kind, Call call, std::uint32_t thread, std::uint64_t address, std::uint64_t size = 0, StackId stack = StackId::none,
              std::uint64_t old_address = 0) {
        Event event;
        event.kind = kind;
        event.call = call;
        event.thread = static_cast<ThreadIndex>(thread);
        event.tick = tick_;
        event.address = address;
        event.size = size;
        event.stack = stack;
        event.old_address = old_address;
        if (kind == EventKind::allocate && call == Call::aligned) {
            event.alignment_log2 = static_cast<std::uint8_t>(random_.between(3, 8));
        }
        if ((kind == EventKind::release || kind == EventKind::resize_from) && random_.one_in(10)) {
            event.touched = random_.below(100'000);
        }
        // At one tick releases come first, so an allocation that shares its tick with another thread's later release
        // would be out of the true order: then time goes on.
        const bool gives_back = kind == EventKind::release || kind == EventKind::resize_from;
        if (gives_back && !trace_.events.empty() && trace_.events.back().tick == tick_) {
            event.tick = ++tick_;
        } else if (!trace_.events.empty() && trace_.events.back().tick == tick_ && trace_.events.back().thread > event.thread &&
                   trace_.events.back().kind != EventKind::release && trace_.events.back().kind != EventKind::resize_from) {
            event.tick = ++tick_;
        }
        trace_.events.push_back(event);
    }

    void act(std::uint32_t thread) {
        const std::uint64_t dice = random_.below(100);
        if (dice < 2) {
            emit(EventKind::allocate, Call::malloc, thread, 0, 1 << 20, some_stack());
        } else if (dice < 4) {
            emit(EventKind::release, Call::free, thread, 0x4440'0000 + random_.below(64) * 16);  // nobody knows this block
        } else if (dice < 50 || live_.empty()) {
            allocate(thread);
        } else if (dice < 62) {
            start_resize(thread);
        } else {
            release(thread);
        }
    }

    void allocate(std::uint32_t thread) {
        static constexpr Call kCalls[] = {Call::malloc, Call::malloc, Call::calloc, Call::aligned, Call::new_object, Call::new_array};
        const Live block{0, some_size(), kCalls[random_.below(6)]};
        live_.push_back(block);
        live_.back().address = addresses_.take(block.size, random_);
        emit(EventKind::allocate, block.call, thread, live_.back().address, block.size, some_stack());
    }

    Live take_live() {
        // Often the newest one, so that some blocks are temporary.
        const std::size_t index = random_.one_in(3) ? live_.size() - 1 : random_.below(live_.size());
        const Live block = live_[index];
        live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(index));
        return block;
    }

    void release(std::uint32_t thread) {
        const Live block = take_live();
        Call call = block.call == Call::new_object ? Call::delete_object : block.call == Call::new_array ? Call::delete_array : Call::free;
        if (random_.one_in(25)) {
            call = Call::delete_object;
        }
        emit(EventKind::release, call, thread, block.address);
        addresses_.give_back(block.address);
    }

    void start_resize(std::uint32_t thread) {
        if (random_.one_in(10)) {  // realloc(nullptr, n)
            const std::uint64_t size = some_size();
            const std::uint64_t address = addresses_.take(size, random_);
            emit(EventKind::resize_to, Call::realloc, thread, address, size, some_stack());
            live_.push_back({address, size, Call::realloc});
            return;
        }
        Resizing resizing{take_live()};
        emit(EventKind::resize_from, Call::realloc, thread, resizing.old.address);
        if (random_.one_in(2)) {
            resizing.freed_early = true;
            addresses_.give_back(resizing.old.address);
        }
        resizing_[thread] = resizing;
    }

    void finish_resize(std::uint32_t thread) {
        const Resizing resizing = resizing_[thread];
        resizing_.erase(thread);
        const Live& old = resizing.old;
        if (resizing.freed_early && random_.one_in(6)) {
            emit(EventKind::resize_to, Call::realloc, thread, 0, 0, some_stack(), old.address);
            return;
        }
        if (!resizing.freed_early && random_.one_in(5)) {
            emit(EventKind::resize_to, Call::realloc, thread, 0, 1 << 22, some_stack(), old.address);
            live_.push_back(old);
            return;
        }
        Live now{old.address, some_size(), Call::realloc};
        const bool shrinks = test_usable(now.size) <= test_usable(old.size) && (now.size > 1000) == (old.size > 1000);
        if (resizing.freed_early || !shrinks || random_.one_in(3)) {
            if (!resizing.freed_early) {
                addresses_.give_back(old.address);
            }
            now.address = addresses_.take(now.size, random_);
        }
        emit(EventKind::resize_to, Call::realloc, thread, now.address, now.size, some_stack(), old.address);
        live_.push_back(now);
    }

    void write() {
        std::set<std::uint64_t> sizes;
        for (const Event& event : trace_.events) {
            sizes.insert(event.size);
        }
        std::vector<UsableSize> pairs;
        for (const std::uint64_t size : sizes) {
            pairs.push_back({.requested = size, .usable = test_usable(size)});
        }
        builder_.usable(pairs);
        builder_.samples(
            {Sample{.tick = 0, .monotonic_ns = 0, .resident_pages = 1, .file_pages = 0, .minor_faults = 0, .major_faults = 0, .cpu_ns = 0},
             Sample{.tick = 1'000'000,
                    .monotonic_ns = 1'000'000 * kTestTickNs,
                    .resident_pages = 1,
                    .file_pages = 0,
                    .minor_faults = 0,
                    .major_faults = 0,
                    .cpu_ns = 0}});
        // Chunks are cut at random, and a watermark is late by some events.
        for (const Event& event : trace_.events) {
            builder_.event(event);
            if (random_.one_in(options_.chunk_events)) {
                builder_.flush(static_cast<std::uint32_t>(event.thread));
            }
            if (random_.one_in(options_.chunk_events * 4)) {
                builder_.flush().watermark(event.tick > 500 ? event.tick - 500 : 0);
            }
        }
        builder_.end();
        trace_.path = builder_.write("random");
    }

    Random random_;
    RandomTraceOptions options_;
    RandomTrace trace_;
    TraceBuilder builder_;
    Addresses addresses_;
    std::vector<Live> live_;
    std::map<std::uint32_t, Resizing> resizing_;
    std::vector<StackId> usable_stacks_;
    Tick tick_ = 5000;
};

}  // namespace

RandomTrace make_random_trace(std::uint64_t salt, const RandomTraceOptions& options) { return Program(salt, options).run(); }

}  // namespace heapwright::test
