// First fit, the fullest first: pieces of a level by how full they are, then sets from the oldest on.
//
// Sets lie on shelves, of which a piece is compared with all sets at once. Of each 16 bytes the shelf has a row of bits, one for each
// set that has a block there; the rows of a piece's own bytes together tell which sets it would collide with.
#include <heapwright/alloc/heap/detail/mesh_packing.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <new>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

namespace {

/// A piece is compared with the sets of so many shelves.
constexpr std::uint32_t kShelvesCompared = 16;
/// A shelf that refused so many pieces on end gets no more.
constexpr std::uint32_t kRefusalsMost = 4096;
/// So many hundredths of a page have to be saved for each mapping more that smaller pieces need: mappings cost time, and each fork copies them.
/// Where few of the heap's spans are sparse, a fork is as dear as the others make it, and less is enough.
constexpr std::uint32_t kWorthOfMapping = 65;
constexpr std::uint32_t kWorthOfMappingOfFew = 10;
constexpr std::uint32_t kFewPercent = 47;
/// A set that saves less for each of its mappings is not made.
constexpr std::uint32_t kLeastForMapping = 40;
/// So full, a set gets no more.
constexpr std::uint32_t kFullPercent = 97;
constexpr std::uint32_t kPiecesBetweenLooks = 16;

std::uint32_t rank_of(const MeshSet& set) noexcept {
    const auto doublings = static_cast<std::uint32_t>(std::bit_width(set.members)) - 1;
    return MeshPacking::kRanks - 1 - std::min(doublings, MeshPacking::kRanks - 1);
}

/// How much room the sets of a level need that are compared at once.
constexpr std::size_t shelf_bytes(std::uint32_t pages) noexcept {
    return sizeof(MeshShelf) + std::size_t{pages} * MeshBytes::kGranulesOfPage * sizeof(MeshShelf::Row);
}

constexpr bool are_all(const MeshShelf::Row& row) noexcept {
    std::uint64_t all = ~std::uint64_t{0};
    for (const std::uint64_t word : row) {
        all &= word;
    }
    return all == ~std::uint64_t{0};
}

/// How much room a plan needs for each span: it, its pieces, and the sets that they may found, on each level.
constexpr std::size_t room_of_span() noexcept {
    std::size_t bytes = sizeof(MeshSnapshot);
    for (std::uint32_t level = 0; level < MeshPacking::kLevels; ++level) {
        const std::size_t pieces = kPagesOfSlice / MeshPacking::pages_of(level);
        bytes +=
            pieces * (sizeof(MeshPiece) + sizeof(MeshSet)) + (pieces * shelf_bytes(MeshPacking::pages_of(level))) / MeshShelf::kSets + 1;
    }
    return bytes;
}

/// And of the last shelf of each level.
constexpr std::size_t room_of_ends() noexcept {
    std::size_t bytes = 0;
    for (std::uint32_t level = 0; level < MeshPacking::kLevels; ++level) {
        bytes += shelf_bytes(MeshPacking::pages_of(level));
    }
    return bytes;
}

}  // namespace

bool MeshPacking::begin(std::uint32_t spans, std::uint32_t mappings) noexcept {
    room_bytes_ = os::round_to_pages(spans * room_of_span() + room_of_ends());
    room_ = static_cast<char*>(os::map_pages(room_bytes_, "heapwright mesh"));  // little of it is touched
    if (room_ == nullptr) {
        return false;
    }
    snapshots_ = reinterpret_cast<MeshSnapshot*>(room_);
    used_bytes_ = spans * sizeof(MeshSnapshot);
    count_ = 0;
    others_ = 0;
    spans_ = spans;
    level_ = 0;
    next_snapshot_ = 0;
    mappings_ = mappings;
    planned_ = 0;
    by_fill_.fill(nullptr);
    fill_ = kFills;
    first_ = last_ = nullptr;
    sets_ = nullptr;
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

/// Visits the numbers of the 16 bytes of a piece that have a block, run by run.
template <class Visit>
void MeshPacking::for_each_granule(const MeshPiece& piece, Visit visit) const noexcept {
    const std::uint64_t* const words = snapshots_[piece.snapshot].bytes.of_page(piece.page);
    for (std::uint32_t word = 0; word < pages() * MeshBytes::kWordsOfPage; ++word) {
        for (std::uint64_t rest = words[word]; rest != 0; rest &= rest - 1) {
            if (!visit(word * 64 + static_cast<std::uint32_t>(std::countr_zero(rest)))) {
                return;
            }
        }
    }
}

/// The first of a shelf's sets where a piece fits; kSets: none.
std::uint32_t MeshPacking::place_for(MeshShelf& shelf, const MeshPiece& piece) const noexcept {
    constexpr std::uint32_t kRowsBetweenLooks = 8;
    MeshShelf::Row taken = shelf.closed;
    const MeshShelf::Row* const rows = shelf.rows();
    bool is_any = !are_all(taken);
    if (is_any) {
        for_each_granule(piece, [&](std::uint32_t granule) {
            for (std::uint32_t word = 0; word < MeshShelf::kWords; ++word) {
                taken[word] |= rows[granule][word];
            }
            is_any = granule % kRowsBetweenLooks != 0 || !are_all(taken);
            return is_any;
        });
    }
    for (std::uint32_t word = 0; is_any && word < MeshShelf::kWords; ++word) {
        if (taken[word] != ~std::uint64_t{0}) {
            return word * 64 + static_cast<std::uint32_t>(std::countr_one(taken[word]));
        }
    }
    return MeshShelf::kSets;
}

void MeshPacking::join(MeshShelf& shelf, std::uint32_t place, MeshPiece* piece) noexcept {
    MeshSet& set = *shelf.sets[place];
    const MeshSnapshot& span = snapshots_[piece->snapshot];
    const std::uint64_t bit = std::uint64_t{1} << (place % 64);
    for_each_granule(*piece, [&](std::uint32_t granule) {
        shelf.rows()[granule][place / 64] |= bit;
        return true;
    });
    for (std::uint32_t page = 0; page < pages(); ++page) {
        const std::uint32_t granules = span.bytes.granules(piece->page + page, 1);
        set.granules += granules;
        set.held += granules != 0 ? 1U : 0U;
        set.used |= granules != 0 ? 1U << page : 0U;
    }
    piece->next = set.pieces;
    set.pieces = piece;
    ++set.members;
    set.has_shrunk = set.has_shrunk || (span.shrunk >> piece->page & 1) != 0;
    if (set.granules * 100 >= pages() * MeshBytes::kGranulesOfPage * kFullPercent) {
        shelf.closed[place / 64] |= bit;
    }
}

/// A new set, on the last shelf or another one behind it. Returns its place.
std::uint32_t MeshPacking::found(MeshShelf*& shelf) noexcept {
    if (last_ == nullptr || last_->count == MeshShelf::kSets) {
        shelf = new (take_room(shelf_bytes(pages()))) MeshShelf;  // behind it fresh room: no bit is set
        shelf->closed.fill(~std::uint64_t{0});
        (last_ == nullptr ? first_ : last_->next) = shelf;
        last_ = shelf;
    }
    shelf = last_;
    const std::uint32_t place = shelf->count++;
    auto* const set = new (take_room(sizeof(MeshSet))) MeshSet;
    set->next = sets_;
    sets_ = set;
    shelf->sets[place] = set;
    shelf->closed[place / 64] &= ~(std::uint64_t{1} << (place % 64));
    return place;
}

/// Into the first set where it fits; or it founds one. Shelves that are full, or refuse for long, are left behind.
void MeshPacking::place(MeshPiece* piece) noexcept {
    std::uint32_t compared = 0;
    for (MeshShelf* shelf = first_; shelf != nullptr && compared < kShelvesCompared; shelf = shelf->next, ++compared) {
        if (const std::uint32_t found_place = place_for(*shelf, *piece); found_place != MeshShelf::kSets) {
            shelf->refusals = 0;
            join(*shelf, found_place, piece);
            return;
        }
        ++shelf->refusals;
    }
    while (first_ != nullptr && first_ != last_ && (first_->refusals > kRefusalsMost || are_all(first_->closed))) {
        first_ = first_->next;
    }
    MeshShelf* shelf = nullptr;
    const std::uint32_t new_place = found(shelf);
    join(*shelf, new_place, piece);
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

/// Whether it saves enough memory for its mappings, or a group of which half died can go.
bool MeshPacking::is_of_use(const MeshSet& set) const noexcept {
    const auto used = static_cast<std::uint32_t>(std::popcount(set.used));
    return set.has_shrunk || (set.held - used) * 100 >= kLeastForMapping * set.members;
}

std::uint32_t MeshPacking::worth_of_mapping() const noexcept {
    return (count_ + others_) * 100 <= spans_ * kFewPercent ? kWorthOfMappingOfFew : kWorthOfMapping;
}

/// Whether halves of its pieces would save too little. They would halve what is empty, as a rule: of U pages that are full to f, shared by m,
/// U * f / f' would be left, with f' = (1 + f) / 2, for m mappings more.
bool MeshPacking::is_good(const MeshSet& set) const noexcept {
    const auto used = static_cast<std::uint64_t>(std::popcount(set.used));
    const std::uint64_t room = used * MeshBytes::kGranulesOfPage;
    return is_of_use(set) && used * 100 * (room - set.granules) <= std::uint64_t{worth_of_mapping()} * set.members * (room + set.granules);
}

/// Good sets stay. The pieces of the others are tried again, smaller, if there are mappings for that.
void MeshPacking::end_level() noexcept {
    MeshSet* rest = nullptr;
    for (MeshSet* set = sets_; set != nullptr;) {
        MeshSet* const following = set->next;
        if (is_good(*set)) {
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
        if (is_of_use(*set)) {
            accept(set);
        }
    }
    first_ = last_ = nullptr;
    sets_ = nullptr;
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
