// One compaction: which chunks are emptied into which, in steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/own/handle/detail/store.hpp>

namespace heapwright::movable {

/// Empties the emptiest chunks of each size into the fullest, and at last moves what the remaining one holds to its beginning.
///
/// Lives on the stack of who compacts and holds Store::compacting_.
class Compaction {
public:
    Compaction(Store& store, std::uint64_t deadline_ns) noexcept
        : store_(store), pass_(store.pass_.load(std::memory_order_relaxed)), deadline_ns_(deadline_ns) {}  // only its holder changes it

    /// Returns: false when Borrows did not let it begin.
    [[nodiscard]] bool step() noexcept;
    /// What the step made free goes back. Nobody waits meanwhile, but for the size that is just looked at.
    void give_back() noexcept;
    /// Makes records of a few sparse pages of the name table. Returns: as step().
    [[nodiscard]] bool pack_names() noexcept;
    /// A part of everything to another place, with the gate closed. Returns: false when Borrows did not let it begin.
    [[nodiscard]] bool move_some() noexcept;
    [[nodiscard]] bool has_moved_everything() const noexcept { return class_to_move_ == kClassCount; }

    DefragmentationResult result;

private:
    static constexpr std::size_t kBatch = 16;          // objects whose owners are fetched together
    static constexpr std::size_t kBatchBytes = 32768;  // and between two looks at the clock
    static constexpr std::size_t kPendingMost = 24;    // chunks: their pages go back between two steps, and count against the budget

    /// Something to do when the gate is open again.
    struct Pending {
        std::uint32_t chunk;
        std::uint16_t size_class;
        bool is_empty;  // and nobody's but ours
    };
    enum class Left : std::uint8_t { chunk_done, no_room, no_time };

    [[nodiscard]] bool is_late() const noexcept;
    std::uint64_t reopen(std::uint64_t asked_ns) noexcept;
    [[nodiscard]] std::size_t prepare_records() noexcept;
    [[nodiscard]] bool work_on(SizeClass& size_class) noexcept;
    [[nodiscard]] Chunk* pick_source(SizeClass& size_class) noexcept;
    [[nodiscard]] Chunk* pick_destination(SizeClass& size_class, const Chunk& source) noexcept;
    [[nodiscard]] std::uint32_t take_place(SizeClass& size_class, const Chunk& source, Chunk*& target) noexcept;
    [[nodiscard]] bool evacuate_batch(SizeClass& size_class, Chunk& source, Chunk*& target) noexcept;
    [[nodiscard]] Left evacuate(SizeClass& size_class, Chunk& source) noexcept;
    [[nodiscard]] Left slide(Chunk& chunk) noexcept;
    void defer(const Chunk& chunk) noexcept;
    /// Whether no room is left for what one more source may leave to do.
    [[nodiscard]] bool is_full() const noexcept { return pending_count_ + 2 > kPendingMost; }
    void finish(SizeClass& size_class, Chunk& chunk) noexcept;
    [[nodiscard]] std::size_t movable_slots(const Chunk& chunk, std::uint32_t& cursor, std::uint32_t end, std::uint32_t* slots,
                                            std::size_t most) noexcept;
    [[nodiscard]] const void* owner_of(std::byte* object) const noexcept;
    void fetch(Chunk& chunk, const std::uint32_t* slots, std::size_t count) noexcept;
    void move(Chunk& from, std::uint32_t from_slot, Chunk& to, std::uint32_t to_slot) noexcept;
    void move_long(std::byte* source, std::byte* target, std::size_t bytes) noexcept;
    void set_place(std::uint32_t name, const std::byte* target) noexcept;
    void shrink(Chunk& chunk) noexcept;
    [[nodiscard]] bool move_chunk(Chunk& chunk, std::size_t class_index, Chunk*& target) noexcept;
    [[nodiscard]] bool move_class(std::size_t class_index) noexcept;
    [[nodiscard]] std::byte* payload(const Chunk& chunk, std::uint32_t slot) const noexcept {
        return store_.chunks.start_of(chunk) + chunk.offset_of(slot) + chunk.header_bytes;
    }

    Store& store_;
    std::uint32_t pass_;
    std::uint64_t deadline_ns_;
    std::uint64_t step_end_ns_ = 0;
    std::size_t pending_count_ = 0;
    std::array<Pending, kPendingMost> pending_;
    std::size_t class_to_move_ = 0;       // in move_some()
    std::uint32_t evacuated_ = kNoChunk;  // where the last step stopped
    std::uint32_t cursor_ = 0;            // in evacuate(): the next slot
    std::uint32_t window_ = 0;            // in slide(): the end of what is left; 0: it has not begun
};

}  // namespace heapwright::movable
