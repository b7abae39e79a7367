// First fit, the fullest first: pieces of a level by how full they are, then sets from the oldest on.
#include <heapwright/alloc/heap/detail/mesh_packing.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <new>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

namespace {

/// A piece is compared with so many sets.
constexpr std::uint32_t kCompared = 1024;
/// A set that refused so many pieces on end gets no more.
constexpr std::uint32_t kRefusalsMost = 1024;
/// So full, a set of each level is good as it is: smaller pieces would save more memory, and need more mappings and time.
constexpr std::array<std::uint32_t, MeshPacking::kLevels> kGoodPercent{70, 55, 65, 0};
/// So full, a set gets no more.
constexpr std::uint32_t kFullPercent = 97;
constexpr std::uint32_t kPiecesBetweenLooks = 16;

std::uint32_t rank_of(const MeshSet& set) noexcept {
    const auto doublings = static_cast<std::uint32_t>(std::bit_width(set.members)) - 1;
    return MeshPacking::kRanks - 1 - std::min(doublings, MeshPacking::kRanks - 1);
}

/// How much room a plan needs for each span: it, its pieces, and the sets that they may found, on each level.
constexpr std::size_t room_of_span() noexcept {
    std::size_t bytes = sizeof(MeshSnapshot);
    for (std::uint32_t level = 0; level < MeshPacking::kLevels; ++level) {
        const std::size_t pages = MeshPacking::pages_of(level);
        bytes += kPagesOfSlice / pages * (sizeof(MeshPiece) + sizeof(MeshSet) + pages * MeshBytes::kWordsOfPage * sizeof(std::uint64_t));
    }
    return bytes;
}

}  // namespace

bool MeshPacking::begin(std::uint32_t spans, std::uint32_t mappings) noexcept {
    room_bytes_ = os::round_to_pages(spans * room_of_span());
    room_ = static_cast<char*>(os::map_pages(room_bytes_, "heapwright mesh"));  // little of it is touched
    if (room_ == nullptr) {
        return false;
    }
    snapshots_ = reinterpret_cast<MeshSnapshot*>(room_);
    used_bytes_ = spans * sizeof(MeshSnapshot);
    count_ = 0;
    level_ = 0;
    next_snapshot_ = 0;
    mappings_ = mappings;
    planned_ = 0;
    by_fill_.fill(nullptr);
    fill_ = kFills;
    open_ = last_ = closed_ = nullptr;
    accepted_ = {};
    return true;
}

void MeshPacking::end() noexcept {
    if (char* const room = room_; room != nullptr) {
        room_ = nullptr;  // first: a child of fork must not release what is somebody else's by then
        std::atomic_signal_fence(std::memory_order_acq_rel);
        os::release(room, room_bytes_);
    }
}

void* MeshPacking::take_room(std::size_t bytes) noexcept {
    char* const taken = room_ + used_bytes_;
    used_bytes_ += bytes;
    return taken;
}

/// Pages of one kind, of which one holds a block at least.
bool MeshPacking::may_be_piece(const MeshSnapshot& snapshot, std::uint32_t page) const noexcept {
    const std::uint32_t mask = ((1U << pages()) - 1) << page;
    const bool is_own = (snapshot.own & mask) == mask;
    const bool is_shrunk = (snapshot.shrunk & mask) == mask;
    return (is_own || is_shrunk) && (snapshot.placed & mask) == 0;
}

/// The pieces of one span on this level, by how full they are.
void MeshPacking::add_pieces(std::uint32_t snapshot) noexcept {
    const MeshSnapshot& span = snapshots_[snapshot];
    for (std::uint32_t page = 0; page < kPagesOfSlice; page += pages()) {
        const std::uint32_t granules = may_be_piece(span, page) ? span.bytes.granules(page, pages()) : 0;
        if (granules == 0) {
            continue;
        }
        const std::uint32_t fill = granules * (kFills - 1) / (pages() * MeshBytes::kGranulesOfPage);
        by_fill_[fill] = new (take_room(sizeof(MeshPiece))) MeshPiece{.snapshot = snapshot, .page = page, .next = by_fill_[fill]};
    }
}

bool MeshPacking::join(MeshSet& set, MeshPiece* piece, std::uint32_t granules) noexcept {
    const std::uint64_t* const words = snapshots_[piece->snapshot].bytes.of_page(piece->page);
    const std::uint32_t count = pages() * MeshBytes::kWordsOfPage;
    for (std::uint32_t word = 0; word < count; word += MeshBytes::kWordsOfPage) {
        std::uint64_t common = 0;
        for (std::uint32_t i = word; i < word + MeshBytes::kWordsOfPage; ++i) {
            common |= words[i] & set.words()[i];
        }
        if (common != 0) {
            return false;
        }
    }
    for (std::uint32_t word = 0; word < count; ++word) {
        set.words()[word] |= words[word];
    }
    piece->next = set.pieces;
    set.pieces = piece;
    ++set.members;
    set.granules += granules;
    set.refusals = 0;
    set.has_shrunk = set.has_shrunk || (snapshots_[piece->snapshot].shrunk >> piece->page & 1) != 0;
    return true;
}

void MeshPacking::found(MeshPiece* piece, std::uint32_t granules) noexcept {
    const std::size_t words = std::size_t{pages()} * MeshBytes::kWordsOfPage;
    auto* const set = new (take_room(sizeof(MeshSet) + words * sizeof(std::uint64_t))) MeshSet;  // fresh room: no bit is set
    static_cast<void>(join(*set, piece, granules));
    (last_ == nullptr ? open_ : last_->next) = set;
    last_ = set;
}

/// Into the first set where it fits; or it founds one. Sets that are full, or refuse for long, are closed.
void MeshPacking::place(MeshPiece* piece) noexcept {
    const std::uint32_t room = pages() * MeshBytes::kGranulesOfPage;
    const std::uint32_t granules = snapshots_[piece->snapshot].bytes.granules(piece->page, pages());
    MeshSet* before = nullptr;
    std::uint32_t compared = 0;
    for (MeshSet* set = open_; set != nullptr && compared < kCompared; ++compared) {
        MeshSet* const following = set->next;
        const bool has_joined = set->granules + granules <= room && join(*set, piece, granules);
        const bool is_over = has_joined ? set->granules * 100 >= room * kFullPercent : ++set->refusals > kRefusalsMost;
        if (is_over) {
            (before == nullptr ? open_ : before->next) = following;
            last_ = last_ == set ? before : last_;
            set->next = closed_;
            closed_ = set;
        } else {
            before = set;
        }
        if (has_joined) {
            return;
        }
        set = following;
    }
    found(piece, granules);
}

void MeshPacking::accept(MeshSet* set) noexcept {
    for (const MeshPiece* piece = set->pieces; piece != nullptr; piece = piece->next) {
        snapshots_[piece->snapshot].placed |= static_cast<std::uint16_t>(((1U << pages()) - 1) << piece->page);
        snapshots_[piece->snapshot].sets[piece->page] = set;
    }
    set->level = level_;
    planned_ += set->members;
    MeshSet*& first = accepted_[level_][rank_of(*set)];
    set->next = first;
    first = set;
}

/// At most so many pieces would come on a level.
std::uint32_t MeshPacking::pieces_left(std::uint32_t level) const noexcept {
    std::uint32_t pages = 0;
    for (std::uint32_t number = 0; number < count_; ++number) {
        const MeshSnapshot& span = snapshots_[number];
        for (std::uint32_t rest = (span.own | span.shrunk) & ~span.placed & 0xFFFFU; rest != 0; rest &= rest - 1) {
            pages += span.bytes.granules(static_cast<std::uint32_t>(std::countr_zero(rest)), 1) != 0 ? 1U : 0U;
        }
    }
    return pages / pages_of(level);
}

/// Good sets stay. The pieces of the others are tried again, smaller, if there are mappings for that.
void MeshPacking::end_level() noexcept {
    (last_ == nullptr ? open_ : last_->next) = closed_;
    MeshSet* rest = nullptr;
    const std::uint32_t room = pages() * MeshBytes::kGranulesOfPage;
    for (MeshSet* set = open_; set != nullptr;) {
        MeshSet* const following = set->next;
        if ((set->members > 1 || set->has_shrunk) && set->granules * 100 >= room * kGoodPercent[level_]) {
            accept(set);
        } else {
            set->next = rest;
            rest = set;
        }
        set = following;
    }
    const bool is_last = level_ + 1 == kLevels || planned_ + pieces_left(level_ + 1) > mappings_;
    while (is_last && rest != nullptr) {
        MeshSet* const set = rest;
        rest = set->next;
        if (set->members > 1 || set->has_shrunk) {
            accept(set);
        }
    }
    open_ = last_ = closed_ = nullptr;
    level_ = is_last ? kLevels : level_ + 1;
    next_snapshot_ = 0;
    fill_ = kFills;
}

bool MeshPacking::go_on(std::uint64_t end) noexcept {
    std::uint32_t until_look = kPiecesBetweenLooks;
    while (level_ < kLevels) {
        if (--until_look == 0) {
            until_look = kPiecesBetweenLooks;
            if (os::monotonic_ns() >= end) {
                return false;
            }
        }
        if (next_snapshot_ < count_) {
            add_pieces(next_snapshot_++);
        } else if (fill_ == 0) {
            end_level();
        } else if (MeshPiece*& first = by_fill_[fill_ - 1]; first != nullptr) {
            MeshPiece* const piece = first;
            first = piece->next;
            place(piece);
        } else {
            --fill_;
        }
    }
    return true;
}

bool MeshPacking::has_sets(std::uint32_t level, std::uint32_t count) const noexcept {
    for (const MeshSet* set : accepted_[level]) {
        for (; set != nullptr && count != 0; set = set->next) {
            count -= set->is_taken ? 0 : 1;
        }
    }
    return count == 0;
}

/// The set of the piece that follows this one in its span, if it is of the same level and not taken.
MeshSet* MeshPacking::set_behind(const MeshPiece& piece, std::uint32_t level) const noexcept {
    const std::uint32_t page = piece.page + pages_of(level);
    MeshSet* const other = page < kPagesOfSlice ? snapshots_[piece.snapshot].sets[page] : nullptr;
    return other == nullptr || other->is_taken || other->level != level ? nullptr : other;
}

/// Of the sets with pieces that follow pieces of this one, one with the most of them.
MeshSet* MeshPacking::set_behind(const MeshSet& set) const noexcept {
    MeshSet* best = nullptr;
    std::uint32_t most = 0;
    for (const MeshPiece* piece = set.pieces; piece != nullptr; piece = piece->next) {
        MeshSet* const candidate = set_behind(*piece, set.level);
        std::uint32_t count = 0;
        for (const MeshPiece* other = candidate == nullptr ? nullptr : set.pieces; other != nullptr; other = other->next) {
            count += set_behind(*other, set.level) == candidate ? 1U : 0U;
        }
        best = count > most ? candidate : best;
        most = count > most ? count : most;
    }
    return best;
}

MeshSet* MeshPacking::take_set(std::uint32_t level, const MeshSet* before) noexcept {
    if (MeshSet* const behind = before == nullptr ? nullptr : set_behind(*before); behind != nullptr) {
        behind->is_taken = true;
        return behind;
    }
    for (MeshSet*& first : accepted_[level]) {
        while (MeshSet* const set = first) {
            first = set->next;
            if (!set->is_taken) {
                set->is_taken = true;
                return set;
            }
        }
    }
    return nullptr;
}

}  // namespace heapwright::heap
