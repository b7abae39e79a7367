// Reads a plan file back for tests, and plays it with invented blocks in any order that real threads could take.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/study/replay/plan/format.hpp>
#include <heapwright/study/replay/planner.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {

namespace plan = study::plan;

struct PlanOp {
    plan::Op op{};
    std::uint32_t slot = 0;
    std::uint32_t field = 0;
    std::vector<plan::Word> more;  // the words after the first
};
struct PlanBlock {
    plan::LaneBlock head{};
    std::vector<PlanOp> ops;
};
struct PlanEpoch {
    plan::EpochHeader head{};
    std::vector<PlanBlock> blocks;
};
struct ReadPlan {
    plan::PlanHeader header{};
    std::vector<PlanEpoch> epochs;

    [[nodiscard]] std::vector<PlanOp> ops_of(std::uint32_t lane) const {
        std::vector<PlanOp> all;
        for (const PlanEpoch& epoch : epochs) {
            for (const PlanBlock& block : epoch.blocks) {
                if (block.head.lane == lane) {
                    all.insert(all.end(), block.ops.begin(), block.ops.end());
                }
            }
        }
        return all;
    }
};

/// A file name that no other test has, removed at the end.
class TemporaryFile {
public:
    TemporaryFile() {
        static int count = 0;
        path_ = (std::filesystem::temp_directory_path() / ("heapwright-test-" + std::to_string(getpid()) + "-" + std::to_string(count++)))
                    .string();
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { std::filesystem::remove(path_); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

inline ReadPlan read_plan(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    ReadPlan result;
    const auto read = [&file](void* to, std::size_t bytes) {
        file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
        REQUIRE(file.gcount() == static_cast<std::streamsize>(bytes));
    };
    read(&result.header, sizeof(result.header));
    REQUIRE(std::memcmp(result.header.magic, plan::kMagic, sizeof(plan::kMagic)) == 0);
    REQUIRE(result.header.complete == 1);
    for (std::uint64_t i = 0; i < result.header.epochs; ++i) {
        PlanEpoch epoch;
        read(&epoch.head, sizeof(epoch.head));
        REQUIRE(epoch.head.magic == plan::kEpochMagic);
        CHECK(epoch.head.bytes <= result.header.largest_epoch_bytes);
        epoch.blocks.resize(epoch.head.blocks);
        for (PlanBlock& block : epoch.blocks) {
            read(&block.head, sizeof(block.head));
            CHECK(block.head.lane < result.header.lanes);
        }
        for (PlanBlock& block : epoch.blocks) {
            std::vector<plan::Word> words(block.head.words);
            read(words.data(), words.size() * sizeof(plan::Word));
            for (std::size_t at = 0; at < words.size();) {
                const unsigned length = plan::words_of(plan::op_of(words[at]));
                REQUIRE(at + length <= words.size());
                block.ops.push_back({.op = plan::op_of(words[at]),
                                     .slot = plan::slot_of(words[at]),
                                     .field = plan::size_field_of(words[at]),
                                     .more = {words.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                              words.begin() + static_cast<std::ptrdiff_t>(at + length)}});
                at += length;
            }
        }
        result.epochs.push_back(std::move(epoch));
    }
    CHECK(file.peek() == std::ifstream::traits_type::eof());
    return result;
}

/// What is live after the plan: slot -> bytes.
using SlotBytes = std::map<std::uint32_t, std::uint64_t>;

/// Plays the plan; within an epoch the lanes move on in random order, and a lane waits at an empty slot that it has to free.
/// Checks that no slot is filled twice and that there is always a lane that can move.
inline SlotBytes play_plan(const ReadPlan& read, Random& random) {
    SlotBytes live;
    std::map<std::uint32_t, std::uint16_t> steps;
    for (const PlanEpoch& epoch : read.epochs) {
        std::vector<std::size_t> at(epoch.blocks.size(), 0);
        for (;;) {
            std::vector<std::size_t> able;
            bool done = true;
            for (std::size_t i = 0; i < epoch.blocks.size(); ++i) {
                if (at[i] == epoch.blocks[i].ops.size()) {
                    continue;
                }
                done = false;
                const PlanOp& op = epoch.blocks[i].ops[at[i]];
                const bool needs =
                    op.op == plan::Op::free || op.op == plan::Op::resize || op.op == plan::Op::touch || op.op == plan::Op::pool_release;
                if (!needs || (live.contains(op.slot) && steps[op.slot] == op.field)) {
                    able.push_back(i);
                }
            }
            if (done) {
                break;
            }
            REQUIRE_MESSAGE(!able.empty(), "all lanes wait for each other");
            const std::size_t who = able[random.below(able.size())];
            const PlanOp& op = epoch.blocks[who].ops[at[who]++];
            const bool removes = op.op == plan::Op::free || op.op == plan::Op::pool_release;
            steps[op.slot] = static_cast<std::uint16_t>(steps[op.slot] + (removes || op.op >= plan::Op::arena_allocate ? 0 : 1) +
                                                        (op.op == plan::Op::pool_allocate || op.op == plan::Op::planned ? 1 : 0));
            switch (op.op) {
                case plan::Op::malloc:
                case plan::Op::calloc:
                case plan::Op::planned:
                case plan::Op::pool_allocate: REQUIRE_MESSAGE(live.emplace(op.slot, op.field).second, "a slot is filled twice"); break;
                case plan::Op::wide:
                    REQUIRE_MESSAGE(live.emplace(op.slot, op.more[0]).second, "a slot is filled twice");
                    CHECK(op.more[1] <= op.more[0]);
                    break;
                case plan::Op::free:
                case plan::Op::pool_release: live.erase(op.slot); break;
                case plan::Op::resize:
                    live[op.slot] = op.more[0];
                    CHECK(op.more[1] <= op.more[2]);
                    CHECK(op.more[2] <= op.more[0]);
                    break;
                case plan::Op::touch: CHECK(op.more[0] <= op.more[1]); break;
                default: break;
            }
        }
    }
    return live;
}

// ---- events, in short

inline trace::Event allocation(unsigned thread, std::uint64_t address, std::uint64_t size, trace::StackId stack = trace::StackId::none,
                               trace::Call call = trace::Call::malloc, std::uint8_t alignment_log2 = 0) {
    trace::Event event;
    event.kind = trace::EventKind::allocate;
    event.call = call;
    event.thread = static_cast<trace::ThreadIndex>(thread);
    event.address = address;
    event.size = size;
    event.stack = stack;
    event.alignment_log2 = alignment_log2;
    return event;
}
inline trace::Event release(unsigned thread, std::uint64_t address, std::uint64_t touched = trace::kTouchedUnknown) {
    trace::Event event;
    event.kind = trace::EventKind::release;
    event.call = trace::Call::free;
    event.thread = static_cast<trace::ThreadIndex>(thread);
    event.address = address;
    event.touched = touched;
    return event;
}
inline trace::Event resize_from(unsigned thread, std::uint64_t address, std::uint64_t touched = trace::kTouchedUnknown) {
    trace::Event event = release(thread, address, touched);
    event.kind = trace::EventKind::resize_from;
    event.call = trace::Call::realloc;
    return event;
}
inline trace::Event resize_to(unsigned thread, std::uint64_t old_address, std::uint64_t address, std::uint64_t size,
                              trace::StackId stack = trace::StackId::none) {
    trace::Event event = allocation(thread, address, size, stack, trace::Call::realloc);
    event.kind = trace::EventKind::resize_to;
    event.old_address = old_address;
    return event;
}

/// Plans these events and reads the plan back.
struct Planned {
    ReadPlan plan;
    study::PlanCounts counts;
};
inline Planned plan_of(const std::vector<trace::Event>& events, const study::Placement& placement = {}, std::uint64_t expected = 0,
                       const std::vector<trace::ThreadInfo>& threads = {}) {
    const TemporaryFile file;
    auto writer = study::PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    study::Planner planner(*writer, placement, expected);
    planner.add_threads(threads);
    trace::Tick tick = 0;
    for (trace::Event event : events) {
        event.tick = ++tick;
        planner.on_event(event);
    }
    CHECK(writer->broken_invariant() == nullptr);
    REQUIRE(planner.finish().has_value());
    return {.plan = read_plan(file.path()), .counts = planner.counts()};
}

}  // namespace heapwright::test
