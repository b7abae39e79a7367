// Which pages may share memory, worked out on paper: pieces of spans are laid over each other where no two blocks overlap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mesh_bytes.hpp>

namespace heapwright::heap {

struct MeshSet;

/// A span as a pass looked at it. Pages by bits.
struct MeshSnapshot {
    std::uint32_t slice = 0;
    std::uint32_t block_bytes = 0;
    std::uint16_t own = 0;                       ///< anonymous pages that may be shared
    std::uint16_t shrunk = 0;                    ///< pages that may leave a group of which half died
    std::uint16_t placed = 0;                    ///< of both: they have a place
    std::array<MeshSet*, kPagesOfSlice> sets{};  ///< of the pieces that begin at each page, once they are accepted
    MeshBytes bytes;
};

/// Pages of one span that keep together.
struct MeshPiece {
    std::uint32_t snapshot = 0;
    std::uint32_t page = 0;  ///< the first
    MeshPiece* next = nullptr;
};

/// Pieces that fit over each other.
struct MeshSet {
    MeshSet* next = nullptr;
    MeshPiece* pieces = nullptr;
    std::uint32_t members = 0;
    std::uint32_t granules = 0;
    std::uint32_t held = 0;  ///< pages of its pieces that hold a block
    std::uint32_t used = 0;  ///< a bit for each of its own pages that holds one
    std::uint32_t level = 0;
    bool has_shrunk = false;  ///< a piece leaves a group: alone it is worth a mapping, too
    bool is_taken = false;    ///< by take_set()
};

/// Sets to which a piece is compared all at once: for each 16 bytes of a piece, a bit for each set that has a block there.
struct MeshShelf {
    static constexpr std::uint32_t kSets = 512;
    static constexpr std::uint32_t kWords = kSets / 64;
    using Row = std::array<std::uint64_t, kWords>;

    MeshShelf* next = nullptr;
    std::uint32_t count = 0;
    std::uint32_t refusals = 0;  ///< pieces that fitted into none of its sets since the last that did
    Row closed{};                ///< sets that get no more, and those that are not there
    std::array<MeshSet*, kSets> sets{};
    [[nodiscard]] Row* rows() noexcept { return reinterpret_cast<Row*>(this + 1); }
};

/// The plan of a pass. Pieces are whole spans at first; where smaller ones would save enough for the mappings that they need, they are
/// tried again as halves, down to single pages, as far as there are mappings. Each piece goes, the fullest first, to the first set
/// where it fits: sets of all sizes of blocks, because only bytes count.
///
/// Cost: comparisons with some thousand sets for each piece, half a nanosecond each; see bench/defrag for what they find.
/// Thread safety: one thread.
class MeshPacking {
public:
    static constexpr std::array<std::uint32_t, 5> kPages{16, 8, 4, 2, 1};
    static constexpr std::uint32_t kLevels = kPages.size();
    /// Sets of one level are made in the order of their size: of eight members and more, of four, of two, of one.
    static constexpr std::uint32_t kRanks = 4;
    [[nodiscard]] static constexpr std::uint32_t pages_of(std::uint32_t level) noexcept { return kPages[level]; }

    constexpr MeshPacking() noexcept = default;
    MeshPacking(const MeshPacking&) = delete;
    MeshPacking& operator=(const MeshPacking&) = delete;

    /// Room for so many spans, as many as the heap has. Returns false when memory is exhausted.
    [[nodiscard]] bool begin(std::uint32_t spans, std::uint32_t mappings) noexcept;
    void end() noexcept;
    [[nodiscard]] bool has_room() const noexcept { return room_ != nullptr; }

    /// Where the next span is described, and that it is. Requires: no more often than begin() was told.
    [[nodiscard]] MeshSnapshot& blank() noexcept { return snapshots_[count_]; }
    void keep() noexcept { ++count_; }
    /// There are so many other sparse spans, which this plan shall not touch.
    void note_others(std::uint32_t spans) noexcept { others_ = spans; }
    [[nodiscard]] const MeshSnapshot& snapshot_of(const MeshPiece& piece) const noexcept { return snapshots_[piece.snapshot]; }

    /// Goes on until the moment `end`. Returns whether all sets are known.
    [[nodiscard]] bool go_on(std::uint64_t end) noexcept;
    /// The next set to make of that level, or nullptr: one with pieces that follow pieces of the set `before` in their spans, because in a
    /// file one behind the other they are one mapping; or one that saves most for a mapping.
    [[nodiscard]] MeshSet* take_set(std::uint32_t level, const MeshSet* before) noexcept;
    /// Whether take_set() would find so many of that level.
    [[nodiscard]] bool has_sets(std::uint32_t level, std::uint32_t count = 1) const noexcept;

private:
    static constexpr std::uint32_t kFills = 64;

    [[nodiscard]] void* take_room(std::size_t bytes) noexcept;
    [[nodiscard]] bool may_be_piece(const MeshSnapshot& snapshot, std::uint32_t page) const noexcept;
    void add_pieces(std::uint32_t snapshot) noexcept;
    void place(MeshPiece* piece) noexcept;
    template <class Visit>
    void for_each_granule(const MeshPiece& piece, Visit visit) const noexcept;
    [[nodiscard]] std::uint32_t place_for(MeshShelf& shelf, const MeshPiece& piece) const noexcept;
    void join(MeshShelf& shelf, std::uint32_t place, MeshPiece* piece) noexcept;
    [[nodiscard]] std::uint32_t found(MeshShelf*& shelf) noexcept;
    void end_level() noexcept;
    [[nodiscard]] bool is_of_use(const MeshSet& set) const noexcept;
    [[nodiscard]] bool is_good(const MeshSet& set) const noexcept;
    [[nodiscard]] std::uint32_t worth_of_mapping() const noexcept;
    void accept(MeshSet* set) noexcept;
    [[nodiscard]] MeshSet* set_behind(const MeshPiece& piece, std::uint32_t level) const noexcept;
    [[nodiscard]] MeshSet* set_behind(const MeshSet& set) const noexcept;
    [[nodiscard]] std::uint32_t pieces_left(std::uint32_t level) const noexcept;
    [[nodiscard]] std::uint32_t pages() const noexcept { return pages_of(level_); }

    char* room_ = nullptr;
    std::size_t room_bytes_ = 0;
    std::size_t used_bytes_ = 0;
    MeshSnapshot* snapshots_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t others_ = 0;  // that are sparse, and not in the plan
    std::uint32_t spans_ = 0;   // of the heap, sparse or not

    std::uint32_t level_ = 0;
    std::uint32_t next_snapshot_ = 0;  // of which pieces are made
    std::uint32_t mappings_ = 0;       // that may be used
    std::uint32_t planned_ = 0;        // that the accepted sets need
    std::array<MeshPiece*, kFills> by_fill_{};
    std::uint32_t fill_ = 0;
    MeshShelf* first_ = nullptr;  // where pieces of this level may go
    MeshShelf* last_ = nullptr;   // of those
    MeshSet* sets_ = nullptr;     // all of this level
    std::array<std::array<MeshSet*, kRanks>, kLevels> accepted_{};
};

}  // namespace heapwright::heap
