#include <heapwright/study/replay/plan_writer.hpp>

#include <doctest/doctest.h>

#include "plan_reading.hpp"

namespace heapwright::test {

using plan::make_word;
using plan::Op;
using study::PatchId;
using study::PlanWriter;

TEST_CASE("words come back by lane and epoch in the order they were written") {
    const TemporaryFile file;
    auto writer = PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    for (const std::uint32_t lane : {0U, 1U, 0U}) {
        writer->append(lane, make_word(Op::malloc, lane, 16));
        writer->count_event(lane);
    }
    writer->end_epoch(500);
    writer->append(1, make_word(Op::free, 1, 0));
    writer->count_event(1);
    const auto header = writer->finish(2, 900);
    REQUIRE(header.has_value());
    const ReadPlan read = read_plan(file.path());
    REQUIRE(read.epochs.size() == 2);
    CHECK(read.header.lanes == 2);
    CHECK(read.header.events == 4);
    CHECK(read.header.recorded_ns == 900);
    CHECK(read.epochs[0].blocks.size() == 2);
    CHECK(read.epochs[0].blocks[0].head.flags == plan::kStarts);
    CHECK(read.epochs[0].blocks[0].head.events == 2);
    CHECK(read.epochs[1].head.events_before == 3);
    CHECK(read.epochs[1].head.recorded_ns == 500);
    CHECK(read.epochs[1].blocks[0].head.flags == 0);
    CHECK(read.ops_of(0).size() == 2);
    CHECK(read.ops_of(1).back().op == Op::free);
}

TEST_CASE("an epoch without words leaves no trace") {
    const TemporaryFile file;
    auto writer = PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    writer->end_epoch(1);
    writer->end_epoch(2);
    REQUIRE(writer->finish(0, 3).has_value());
    CHECK(read_plan(file.path()).epochs.empty());
}

TEST_CASE("a marked word can be corrected in its own epoch and in every later one") {
    const TemporaryFile file;
    auto writer = PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    std::vector<PatchId> marks;
    constexpr std::uint64_t kCount = 200'000;  // more than one buffer of the writer
    for (std::uint64_t i = 0; i < kCount; ++i) {
        const auto lane = static_cast<std::uint32_t>(i % 3);
        writer->append(lane, make_word(Op::wide, static_cast<std::uint32_t>(i), 0));
        writer->append(lane, i);
        writer->append(lane, 0);
        marks.push_back(writer->mark(lane));
        if (i % 5 == 0) {
            writer->patch(marks.back(), i);  // in memory
        }
        if (i % 1000 == 999) {
            writer->end_epoch(i);
        }
    }
    CHECK(writer->broken_invariant() == nullptr);
    for (std::uint64_t i = 0; i < kCount; ++i) {
        if (i % 5 != 0) {
            writer->patch(marks[i], i);  // in the file
        }
        writer->settle(marks[i]);
    }
    REQUIRE(writer->finish(kCount, 0).has_value());
    const ReadPlan read = read_plan(file.path());
    std::uint64_t seen = 0;
    for (std::uint32_t lane = 0; lane < 3; ++lane) {
        for (const PlanOp& op : read.ops_of(lane)) {
            REQUIRE(op.more[0] == op.slot);
            REQUIRE(op.more[1] == op.slot);
            ++seen;
        }
    }
    CHECK(seen == kCount);
}

TEST_CASE("a thread that ends is marked in its last block and makes room for another") {
    const TemporaryFile file;
    auto writer = PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    for (std::uint32_t lane = 0; lane < 10; ++lane) {
        for (int epoch = 0; epoch < 2; ++epoch) {
            writer->append(0, make_word(Op::malloc, 0, 8));
            writer->append(lane, make_word(Op::malloc, lane, 8));
            writer->end_epoch(0);
        }
        if (lane != 0) {
            writer->mark_exit(lane);
        }
    }
    const auto header = writer->finish(10, 0);
    REQUIRE(header.has_value());
    CHECK(header->lanes == 10);
    CHECK(header->lanes_at_once == 3);  // the first, one other, and one on its way out
    const ReadPlan read = read_plan(file.path());
    for (std::size_t i = 2; i < read.epochs.size(); ++i) {
        const std::uint32_t flags = read.epochs[i].blocks.back().head.flags;
        CHECK(flags == (i % 2 == 0 ? plan::kStarts : plan::kExits));
    }
}

TEST_CASE("a folder that does not exist is an error and not a crash") {
    const auto writer = PlanWriter::create("/nonexistent-folder/plan");
    REQUIRE(!writer.has_value());
    CHECK(writer.error().kind == Errc::not_found);
}

TEST_CASE("a full disk is told at the end") {
    auto writer = PlanWriter::create("/dev/full");
    if (!writer.has_value()) {
        return;  // no such device in this sandbox
    }
    for (std::uint32_t i = 0; i < 1000; ++i) {
        writer->append(0, make_word(Op::malloc, i, 8));
    }
    const auto header = writer->finish(1000, 0);
    REQUIRE(!header.has_value());
    CHECK(header.error().kind == Errc::disk_full);
}

}  // namespace heapwright::test
