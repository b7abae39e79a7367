// Writes a plan file: words by lane, gathered into epochs, and words that are corrected once more is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/study/replay/plan/format.hpp>

namespace heapwright::study {

/// Names a word that may be corrected later.
enum class PatchId : std::uint32_t { none = 0 };

/// Gathers the words of one epoch in memory and writes it when it ends.
///
///   PW1  the words in memory belong to one epoch; everything before it is in the file
///   PW2  a patch stands in `open_` from mark() to settle(); it points into memory while its epoch is being gathered,
///        into the file afterwards
///
/// The first failure to write is kept and returned by finish(); until then the writer only counts.
/// Thread safety: one caller.
class PlanWriter {
public:
    /// Fails:    not_found, permission_denied, disk_full, io_failed.
    [[nodiscard]] static Result<PlanWriter> create(const std::string& path);

    /// Appends a word to a lane's part of this epoch. Lanes are numbered from 0 without gaps.
    void append(std::uint32_t lane, plan::Word word) {
        if (lane >= lanes_.size()) {
            add_lanes(lane);
        }
        Lane& room = lanes_[lane];
        if (room.words.empty()) {
            active_.push_back(lane);
        }
        room.words.push_back(word);
    }
    /// Counts one event of the lane, whose words were or will be appended.
    void count_event(std::uint32_t lane) {
        if (lane >= lanes_.size()) {
            add_lanes(lane);
        }
        ++lanes_[lane].events;
        ++epoch_events_;
    }

    /// The word that was appended to this lane last can be corrected.
    [[nodiscard]] PatchId mark(std::uint32_t lane);
    /// Corrects it, any number of times.
    void patch(PatchId id, plan::Word word);
    /// No more corrections: the id may be given out again.
    void settle(PatchId id);

    /// Ends the epoch and begins the next. Nothing happens while the epoch has no words.
    void end_epoch(std::uint64_t next_epoch_recorded_ns);

    /// The thread of this lane ends after its last word so far.
    void mark_exit(std::uint32_t lane);

    [[nodiscard]] std::uint64_t epoch_events() const { return epoch_events_; }
    [[nodiscard]] std::size_t active_lanes() const { return active_.size(); }
    [[nodiscard]] bool is_active(std::uint32_t lane) const { return lane < lanes_.size() && !lanes_[lane].words.empty(); }
    [[nodiscard]] std::uint64_t epochs() const { return header_.epochs; }
    [[nodiscard]] std::uint64_t bytes_written() const { return offset_; }
    [[nodiscard]] bool failed() const { return failure_.has_value(); }

    std::uint32_t add_group(const plan::Group& group);

    /// Writes the header. Returns: it.
    /// Fails:    disk_full or io_failed of this or of any write before.
    [[nodiscard]] Result<plan::PlanHeader> finish(std::uint32_t slots, std::uint64_t recorded_ns);

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const;

private:
    struct Lane {
        std::vector<plan::Word> words;  // of this epoch
        std::uint32_t events = 0;
        std::uint64_t first_epoch = UINT64_MAX;
        std::uint64_t last_epoch = 0;
        std::uint64_t last_block_offset = 0;
        bool exits = false;
    };
    struct Patch {
        std::uint32_t lane = 0;
        bool in_file = false;
        bool used = false;
        std::uint64_t place = 0;  // index of the lane's word, then offset in the file
    };

    void add_lanes(std::uint32_t lane);
    void write(const void* bytes, std::size_t count);
    void write_at(std::uint64_t offset, const void* bytes, std::size_t count);
    void flush();
    [[nodiscard]] std::uint32_t most_lanes_at_once() const;

    os::File file_;
    std::vector<std::byte> buffer_;  // of the file, from buffered_at_ on
    std::uint64_t offset_ = 0;
    std::vector<Lane> lanes_;
    std::vector<std::uint32_t> active_;  // lanes with words in this epoch
    std::vector<Patch> patches_;
    std::vector<std::uint32_t> free_patches_;
    std::vector<std::uint32_t> recent_;  // patches into this epoch
    std::uint64_t epoch_events_ = 0;
    std::uint64_t epoch_ns_ = 0;
    plan::PlanHeader header_{};
    std::optional<Error> failure_;
};

}  // namespace heapwright::study
