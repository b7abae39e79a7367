#include "plan_reader.hpp"

#include <cstring>
#include <span>

#include "fixed_memory.hpp"

namespace heapwright::replay_worker {

namespace plan = study::plan;

namespace {

[[noreturn]] void refuse(const char* fact) noexcept { give_up("the plan of this replay is damaged: ", fact); }

}  // namespace

void PlanReader::open(const char* path) noexcept {
    auto file = os::File::open_read(path);
    if (!file) {
        give_up("cannot replay: the plan cannot be opened: ", path);
    }
    file_ = std::move(*file);
    const auto got = file_.read_full(std::as_writable_bytes(std::span(&header_, 1)));
    if (!got || *got != sizeof(header_) || std::memcmp(header_.magic, plan::kMagic, sizeof(header_.magic)) != 0 ||
        header_.header_bytes != sizeof(header_)) {
        refuse("it is not a plan of this version");
    }
    if (header_.complete != 1) {
        refuse("it was never finished");
    }
    if (header_.groups > plan::kMaxGroups || header_.largest_epoch_bytes > (std::uint64_t{1} << 30)) {
        refuse("its header promises more than a plan may hold");
    }
    buffer_ = fixed_array<std::byte>(header_.largest_epoch_bytes, "heapwright plan");
}

bool PlanReader::next(Epoch& epoch) noexcept {
    if (epochs_read_ == header_.epochs) {
        return false;
    }
    ++epochs_read_;
    const auto got = file_.read_full(std::as_writable_bytes(std::span(&epoch_, 1)));
    if (!got || *got != sizeof(epoch_) || epoch_.magic != plan::kEpochMagic) {
        refuse("an epoch does not begin where it should");
    }
    if (epoch_.bytes > header_.largest_epoch_bytes || epoch_.blocks > header_.lanes ||
        epoch_.bytes < epoch_.blocks * sizeof(plan::LaneBlock)) {
        refuse("an epoch is larger than promised");
    }
    const auto body = file_.read_full(std::span(buffer_, epoch_.bytes));
    if (!body || *body != epoch_.bytes) {
        refuse("an epoch is cut short");
    }
    epoch.header = &epoch_;
    epoch.blocks = reinterpret_cast<const plan::LaneBlock*>(buffer_);
    epoch.words = reinterpret_cast<const plan::Word*>(buffer_ + epoch_.blocks * sizeof(plan::LaneBlock));
    std::uint64_t words = (epoch_.bytes - epoch_.blocks * sizeof(plan::LaneBlock)) / sizeof(plan::Word);
    const plan::Word* at = epoch.words;
    for (std::uint32_t i = 0; i < epoch_.blocks; ++i) {
        const plan::LaneBlock& block = epoch.blocks[i];
        if (block.lane >= header_.lanes || block.words > words) {
            refuse("a block names a thread or a length that does not exist");
        }
        check_words(at, block.words);
        words -= block.words;
        at += block.words;
    }
    return true;
}

// Done here and not while replaying: the checks would be part of the time measured.
void PlanReader::check_words(const plan::Word* words, std::uint32_t count) const noexcept {
    for (std::uint32_t i = 0; i < count;) {
        const plan::Op op = plan::op_of(words[i]);
        const std::uint32_t slot = plan::slot_of(words[i]);
        const std::uint32_t field = plan::size_field_of(words[i]);
        const unsigned length = plan::words_of(op);
        if (length > count - i) {
            refuse("an operation is cut short");
        }
        bool good = true;
        switch (op) {
            case plan::Op::malloc:
            case plan::Op::calloc: good = slot < header_.slots && field <= plan::kWholeBytes; break;
            case plan::Op::free: good = slot < header_.slots; break;
            case plan::Op::wide: good = slot < header_.slots && (field & 15) <= 2 && field >> 4 < 48 && words[i + 2] <= words[i + 1]; break;
            case plan::Op::resize: good = slot < header_.slots && words[i + 2] <= words[i + 3] && words[i + 3] <= words[i + 1]; break;
            case plan::Op::touch: good = slot < header_.slots && words[i + 1] <= words[i + 2]; break;
            case plan::Op::arena_allocate: good = slot < header_.groups && header_.group[slot].kind == plan::GroupKind::arena; break;
            case plan::Op::arena_release:
                good = slot < header_.lanes && field < header_.groups && header_.group[field].kind == plan::GroupKind::arena;
                break;
            case plan::Op::pool_allocate:
                good = slot < header_.slots && words[i + 1] < header_.groups && header_.group[words[i + 1]].kind == plan::GroupKind::pool &&
                       field <= header_.group[words[i + 1]].block_bytes;
                break;
            case plan::Op::pool_release:
                good = slot < header_.slots && words[i + 1] < header_.groups && header_.group[words[i + 1]].kind == plan::GroupKind::pool;
                break;
            case plan::Op::planned: {
                const plan::Word group = words[i + 1] & ~plan::kZeroed;
                good = slot < header_.slots && field <= plan::kWholeBytes && group < header_.groups &&
                       header_.group[group].kind == plan::GroupKind::planned;
                break;
            }
            case plan::Op::stack: good = field <= plan::kWholeBytes; break;
            case plan::Op::trim: break;
            default: good = false;
        }
        if (!good) {
            refuse("an operation names what does not exist");
        }
        i += length;
    }
}

}  // namespace heapwright::replay_worker
