// Reads a plan epoch by epoch into one buffer and checks every number before anyone uses it.
#pragma once

#include <cstdint>

#include <heapwright/os/file.hpp>
#include <heapwright/study/replay/plan/format.hpp>

namespace heapwright::replay_worker {

/// One epoch, valid until the next one is read.
struct Epoch {
    const study::plan::EpochHeader* header = nullptr;
    const study::plan::LaneBlock* blocks = nullptr;
    const study::plan::Word* words = nullptr;  ///< of all blocks, one after the other
};

/// Thread safety: one caller at a time.
class PlanReader {
public:
    /// Opens the plan and takes its buffer. Ends the program with a sentence when the file is no whole plan.
    void open(const char* path) noexcept;

    [[nodiscard]] const study::plan::PlanHeader& header() const noexcept { return header_; }

    /// Returns:  false at the end.
    [[nodiscard]] bool next(Epoch& epoch) noexcept;

private:
    void check_words(const study::plan::Word* words, std::uint32_t count) const noexcept;

    os::File file_;
    study::plan::PlanHeader header_{};
    study::plan::EpochHeader epoch_{};
    std::byte* buffer_ = nullptr;
    std::uint64_t epochs_read_ = 0;
};

}  // namespace heapwright::replay_worker
