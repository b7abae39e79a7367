#include <heapwright/study/replay/plan_writer.hpp>

#include <algorithm>
#include <cstring>
#include <span>

#include <heapwright/base/check.hpp>

namespace heapwright::study {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

}  // namespace

Result<PlanWriter> PlanWriter::create(const std::string& path) {
    auto file = os::File::create_truncate(path.c_str(), 0600);
    if (!file) {
        return std::unexpected(file.error());
    }
    PlanWriter writer;
    writer.file_ = std::move(*file);
    writer.buffer_.reserve(kBufferBytes * 2);
    std::memcpy(writer.header_.magic, plan::kMagic, sizeof(plan::kMagic));
    writer.header_.header_bytes = sizeof(plan::PlanHeader);
    writer.write(&writer.header_, sizeof(writer.header_));
    return writer;
}

void PlanWriter::add_lanes(std::uint32_t lane) { lanes_.resize(std::size_t{lane} + 1); }

PatchId PlanWriter::mark(std::uint32_t lane) {
    std::uint32_t index = 0;
    if (!free_patches_.empty()) {
        index = free_patches_.back();
        free_patches_.pop_back();
    } else {
        index = static_cast<std::uint32_t>(patches_.size());
        patches_.emplace_back();
    }
    patches_[index] = {.lane = lane, .in_file = false, .used = true, .place = lanes_[lane].words.size() - 1};
    recent_.push_back(index);
    return static_cast<PatchId>(index + 1);
}

void PlanWriter::patch(PatchId id, plan::Word word) {
    HEAPWRIGHT_CHECK(id != PatchId::none, "a correction needs a marked word");
    const Patch& patch = patches_[static_cast<std::uint32_t>(id) - 1];
    if (patch.in_file) {
        write_at(patch.place, &word, sizeof(word));
    } else {
        lanes_[patch.lane].words[patch.place] = word;
    }
}

void PlanWriter::settle(PatchId id) {
    const std::uint32_t index = static_cast<std::uint32_t>(id) - 1;
    Patch& patch = patches_[index];
    patch.used = false;
    if (patch.in_file) {
        free_patches_.push_back(index);
    }
    // Otherwise it still stands in `recent_`; end_epoch() frees it.
}

void PlanWriter::end_epoch(std::uint64_t next_epoch_recorded_ns) {
    if (active_.empty()) {
        epoch_ns_ = next_epoch_recorded_ns;
        return;
    }
    std::uint64_t words = 0;
    for (const std::uint32_t lane : active_) {
        words += lanes_[lane].words.size();
    }
    plan::EpochHeader epoch{};
    epoch.magic = plan::kEpochMagic;
    epoch.blocks = static_cast<std::uint32_t>(active_.size());
    epoch.bytes = active_.size() * sizeof(plan::LaneBlock) + words * sizeof(plan::Word);
    epoch.events_before = header_.events;
    epoch.recorded_ns = epoch_ns_;
    write(&epoch, sizeof(epoch));
    for (const std::uint32_t number : active_) {
        Lane& lane = lanes_[number];
        const bool starts = lane.first_epoch == UINT64_MAX;
        const plan::LaneBlock block{.lane = number,
                                    .flags = starts ? plan::kStarts : 0,
                                    .words = static_cast<std::uint32_t>(lane.words.size()),
                                    .events = lane.events};
        lane.first_epoch = starts ? header_.epochs : lane.first_epoch;
        lane.last_epoch = header_.epochs;
        lane.last_block_offset = offset_;
        header_.events += lane.events;
        lane.events = 0;
        write(&block, sizeof(block));
    }
    std::vector<std::uint64_t> starts(active_.size());
    for (std::size_t i = 0; i < active_.size(); ++i) {
        Lane& lane = lanes_[active_[i]];
        starts[i] = offset_;
        lane.last_epoch = header_.epochs;
        write(lane.words.data(), lane.words.size() * sizeof(plan::Word));
        lane.words.clear();
    }
    for (const std::uint32_t index : recent_) {
        Patch& patch = patches_[index];
        if (!patch.used) {
            free_patches_.push_back(index);
            continue;
        }
        const auto at = static_cast<std::size_t>(std::find(active_.begin(), active_.end(), patch.lane) - active_.begin());
        patch.place = starts[at] + patch.place * sizeof(plan::Word);
        patch.in_file = true;
    }
    recent_.clear();
    active_.clear();
    header_.largest_epoch_bytes = std::max(header_.largest_epoch_bytes, epoch.bytes);
    ++header_.epochs;
    epoch_events_ = 0;
    epoch_ns_ = next_epoch_recorded_ns;
}

void PlanWriter::mark_exit(std::uint32_t lane) {
    if (lane < lanes_.size()) {
        lanes_[lane].exits = true;
    }
}

std::uint32_t PlanWriter::add_group(const plan::Group& group) {
    HEAPWRIGHT_CHECK(header_.groups < plan::kMaxGroups, "a plan has room for 16 groups");
    header_.group[header_.groups] = group;
    return header_.groups++;
}

// A lane lives from its first epoch to its last one, or to the end when its thread never exits. A thread that deals out
// the next epoch on its way out is joined one epoch later, hence the one more.
std::uint32_t PlanWriter::most_lanes_at_once() const {
    std::vector<std::pair<std::uint64_t, int>> steps;
    for (const Lane& lane : lanes_) {
        if (lane.first_epoch != UINT64_MAX) {
            steps.emplace_back(lane.first_epoch, 1);
            if (lane.exits) {
                steps.emplace_back(lane.last_epoch + 1, -1);
            }
        }
    }
    std::sort(steps.begin(), steps.end());
    int now = 0;
    int most = 0;
    for (const auto& [epoch, step] : steps) {
        now += step;
        most = std::max(most, now);
    }
    return static_cast<std::uint32_t>(most) + 1;
}

Result<plan::PlanHeader> PlanWriter::finish(std::uint32_t slots, std::uint64_t recorded_ns) {
    end_epoch(recorded_ns);
    flush();
    for (const Lane& lane : lanes_) {
        if (lane.exits && lane.first_epoch != UINT64_MAX) {
            const std::uint32_t flags = plan::kExits | (lane.first_epoch == lane.last_epoch ? plan::kStarts : 0);
            write_at(lane.last_block_offset + offsetof(plan::LaneBlock, flags), &flags, sizeof(flags));
        }
    }
    header_.lanes = static_cast<std::uint32_t>(lanes_.size());
    header_.lanes_at_once = most_lanes_at_once();
    header_.slots = slots;
    header_.recorded_ns = recorded_ns;
    header_.complete = 1;
    write_at(0, &header_, sizeof(header_));
    if (failure_) {
        return std::unexpected(*failure_);
    }
    return header_;
}

void PlanWriter::write(const void* bytes, std::size_t count) {
    const auto* const begin = static_cast<const std::byte*>(bytes);
    buffer_.insert(buffer_.end(), begin, begin + count);
    offset_ += count;
    if (buffer_.size() >= kBufferBytes) {
        flush();
    }
}

void PlanWriter::flush() {
    if (!failure_) {
        if (const auto done = file_.write_all(buffer_); !done) {
            failure_ = done.error();
        }
    }
    buffer_.clear();
}

void PlanWriter::write_at(std::uint64_t offset, const void* bytes, std::size_t count) {
    const std::uint64_t buffered_from = offset_ - buffer_.size();
    if (offset >= buffered_from) {
        std::memcpy(buffer_.data() + (offset - buffered_from), bytes, count);
        return;
    }
    // A write ends at a whole word of the file and patches are words, so one never straddles the border.
    if (!failure_) {
        if (const auto done = file_.write_all_at(std::span(static_cast<const std::byte*>(bytes), count), offset); !done) {
            failure_ = done.error();
        }
    }
}

const char* PlanWriter::broken_invariant() const {
    for (const std::uint32_t lane : active_) {
        if (lanes_[lane].words.empty()) {
            return "PW1: a lane counts as active without a word";
        }
    }
    for (const Patch& patch : patches_) {
        if (patch.used && !patch.in_file && patch.place >= lanes_[patch.lane].words.size()) {
            return "PW2: a correction points behind the words in memory";
        }
        if (patch.used && patch.in_file && patch.place + sizeof(plan::Word) > offset_) {
            return "PW2: a correction points behind the end of the file";
        }
    }
    return nullptr;
}

}  // namespace heapwright::study
