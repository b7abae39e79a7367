#include "play.hpp"

#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <malloc.h>

#include "fixed_memory.hpp"

#include <heapwright/os/clock.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::replay_worker {

namespace plan = study::plan;

namespace {

constexpr std::uint64_t kRefused = 2;
constexpr std::uint64_t kMarked = 1;
constexpr unsigned kStepShift = 48;
constexpr std::uint64_t kBlockBits = (std::uint64_t{1} << kStepShift) - 1;

void* block_of(std::uint64_t value) noexcept { return reinterpret_cast<void*>(value & kBlockBits & ~kMarked); }

// Every 61st call is timed: a prime, so that a program that goes malloc, free, malloc, free has both timed.
constexpr std::uint32_t kTimedPeriod = 61;
thread_local std::uint32_t until_timed = kTimedPeriod;

std::uint32_t mark_of(std::uint32_t slot) noexcept { return slot * 2654435761U ^ 0x9e3779b9U; }

template <class Call>
HEAPWRIGHT_ALWAYS_INLINE auto measured(Lane& lane, Call call) noexcept {
    ++lane.counts.calls;
    if (HEAPWRIGHT_LIKELY(--until_timed != 0)) {
        return call();
    }
    until_timed = kTimedPeriod;
    const std::uint64_t before = os::ticks();
    const auto result = call();
    const std::uint64_t ticks = os::ticks() - before;
    ++lane.counts.timed_calls;
    lane.counts.timed_ticks += ticks;
    if (ticks > lane.counts.slowest_ticks) {
        lane.counts.slowest_ticks = ticks;
    }
    return result;
}

// The first kWholeBytes are written whole, one word a page beyond: resident memory is what counts there, and filling
// hundreds of megabytes would only add the same time to every allocator.
void write_bytes(char* block, std::uint64_t from, std::uint64_t to) noexcept {
    if (from >= to) {
        return;
    }
    if (from < plan::kWholeBytes) {
        const std::uint64_t whole = to < plan::kWholeBytes ? to : plan::kWholeBytes;
        std::memset(block + from, 0x5a, whole - from);
        from = whole;
    }
    constexpr std::uint64_t kPage = 4096;
    while (from < to) {
        *static_cast<volatile char*>(block + from) = 0x5a;
        from = (reinterpret_cast<std::uintptr_t>(block) + from + kPage) / kPage * kPage - reinterpret_cast<std::uintptr_t>(block);
    }
}

HEAPWRIGHT_NOINLINE void use_frame(std::uint32_t bytes) noexcept {
    char frame[plan::kWholeBytes];
    std::memset(frame, 0x5a, bytes);
    asm volatile("" : : "r"(frame) : "memory");
}

}  // namespace

void Player::prepare(const plan::PlanHeader& header) noexcept {
    slots_ = fixed_array<Slot>(header.slots, "heapwright slots");
    slot_count_ = header.slots;
    placement_.prepare(header);
}

// Only what another lane does in this very epoch can be missing, and that lane does not wait for this one.
HEAPWRIGHT_NOINLINE std::uint64_t Player::await_slow(std::uint32_t slot, std::uint32_t step) noexcept {
    for (;;) {
        for (int spin = 0; spin < 64; ++spin) {
            const std::uint64_t value = slots_[slot].load(std::memory_order_acquire);  // pairs with the stores in keep() and touch()
            if (value >> kStepShift == step && (value & kBlockBits) != 0) {
                return value;
            }
            __builtin_ia32_pause();
        }
        os::yield_thread();
    }
}

HEAPWRIGHT_ALWAYS_INLINE std::uint64_t Player::await(std::uint32_t slot, std::uint32_t step) noexcept {
    const std::uint64_t value = slots_[slot].load(std::memory_order_acquire);  // pairs with the stores in keep() and touch()
    return HEAPWRIGHT_LIKELY(value >> kStepShift == step && (value & kBlockBits) != 0) ? value : await_slow(slot, step);
}

void* Player::take(Lane& lane, std::uint32_t slot, std::uint32_t step) noexcept {
    const std::uint64_t value = await(slot, step);
    // The next lane to fill this slot is this one, or does so in a later epoch, whose start orders it after this store.
    slots_[slot].store(value & ~kBlockBits, std::memory_order_relaxed);
    if (HEAPWRIGHT_UNLIKELY((value & kBlockBits) == kRefused)) {
        return nullptr;
    }
    void* const block = block_of(value);
    if ((value & kMarked) != 0) {
        std::uint32_t mark = 0;
        std::memcpy(&mark, block, sizeof(mark));
        lane.counts.damaged += mark != mark_of(slot) ? 1U : 0U;
    }
    return block;
}

void Player::keep(Lane& lane, std::uint32_t slot, void* block, std::uint64_t from, std::uint64_t to) noexcept {
    // Relaxed: an empty slot was emptied by this lane, or in an epoch before this one.
    const std::uint64_t step = (slots_[slot].load(std::memory_order_relaxed) & ~kBlockBits) + (std::uint64_t{1} << kStepShift);
    std::uint64_t value = kRefused;
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        ++lane.counts.refused;
    } else {
        write_bytes(static_cast<char*>(block), from, to);
        value = reinterpret_cast<std::uintptr_t>(block);
        if (to >= sizeof(std::uint32_t)) {
            const std::uint32_t mark = mark_of(slot);
            std::memcpy(block, &mark, sizeof(mark));
            value |= kMarked;
        }
    }
    slots_[slot].store(step | value, std::memory_order_release);  // pairs with the loads of await()
}

void Player::give_back(Lane& lane, std::uint32_t slot, std::uint32_t step) noexcept {
    void* const block = take(lane, slot, step);
    measured(lane, [block] {
        std::free(block);
        return 0;
    });
}

void Player::allocate_wide(Lane& lane, const plan::Word* word) noexcept {
    const std::uint32_t field = plan::size_field_of(word[0]);
    const std::uint64_t size = word[1];
    void* const block = measured(lane, [&]() -> void* {
        switch (static_cast<plan::WideKind>(field & 15)) {
            case plan::WideKind::calloc: return std::calloc(1, size);
            case plan::WideKind::aligned: {
                std::size_t alignment = std::size_t{1} << (field >> 4);
                alignment = alignment < sizeof(void*) ? sizeof(void*) : alignment;
                void* result = nullptr;
                return posix_memalign(&result, alignment, size) == 0 ? result : nullptr;
            }
            default: return std::malloc(size);
        }
    });
    keep(lane, plan::slot_of(word[0]), block, 0, word[2]);
}

void Player::resize(Lane& lane, const plan::Word* word) noexcept {
    const std::uint32_t slot = plan::slot_of(word[0]);
    const std::uint64_t size = word[1];
    void* const old = take(lane, slot, plan::size_field_of(word[0]));
    void* const block = measured(lane, [&] { return std::realloc(old, size); });
    if (block == nullptr && old != nullptr) {
        std::free(old);
    }
    if (block != nullptr && old != nullptr && word[2] >= sizeof(std::uint32_t)) {
        std::uint32_t mark = 0;
        std::memcpy(&mark, block, sizeof(mark));
        lane.counts.damaged += size >= sizeof(mark) && mark != mark_of(slot) ? 1U : 0U;
    }
    keep(lane, slot, block, word[2], word[3]);
}

void Player::touch(const plan::Word* word) noexcept {
    const std::uint32_t slot = plan::slot_of(word[0]);
    const std::uint64_t value = await(slot, plan::size_field_of(word[0]));
    if ((value & kBlockBits) != kRefused) {
        write_bytes(static_cast<char*>(block_of(value)), word[1], word[2]);
    }
    slots_[slot].store(value + (std::uint64_t{1} << kStepShift), std::memory_order_release);  // pairs with the loads of await()
}

HEAPWRIGHT_NOINLINE void Player::run_rare(Lane& lane, const plan::Word* word) noexcept {
    const std::uint32_t slot = plan::slot_of(word[0]);
    const std::uint32_t field = plan::size_field_of(word[0]);
    switch (plan::op_of(word[0])) {
        case plan::Op::arena_allocate: {
            void* const block = placement_.arena_allocate(lane.number, slot, field);
            lane.counts.refused += block == nullptr ? 1U : 0U;
            if (block != nullptr) {
                write_bytes(static_cast<char*>(block), 0, field);
            }
            break;
        }
        case plan::Op::arena_release: placement_.arena_release(lane.number, slot, field); break;
        case plan::Op::pool_allocate: keep(lane, slot, placement_.pool_allocate(static_cast<std::uint32_t>(word[1])), 0, field); break;
        case plan::Op::pool_release: placement_.pool_release(static_cast<std::uint32_t>(word[1]), take(lane, slot, field)); break;
        case plan::Op::stack: use_frame(field); break;
        default: trim_allocator(); break;
    }
}

HEAPWRIGHT_HOT void Player::run(Lane& lane) noexcept {
    const plan::Word* word = lane.words;
    const plan::Word* const end = word + lane.word_count;
    while (word < end) {
        const plan::Op op = plan::op_of(*word);
        const std::uint32_t size = plan::size_field_of(*word);
        const std::uint32_t slot = plan::slot_of(*word);
        switch (op) {
            case plan::Op::malloc:
                keep(lane, slot, measured(lane, [size] { return std::malloc(size); }), 0, size);
                ++word;
                break;
            case plan::Op::calloc:
                keep(lane, slot, measured(lane, [size] { return std::calloc(1, size); }), 0, size);
                ++word;
                break;
            case plan::Op::free:
                give_back(lane, slot, size);
                ++word;
                break;
            case plan::Op::planned:
                keep(lane, slot, measured(lane, [this, word, size] { return placement_.planned_allocate(word[1], size); }), 0, size);
                word += 2;
                break;
            case plan::Op::wide:
                allocate_wide(lane, word);
                word += 3;
                break;
            case plan::Op::resize:
                resize(lane, word);
                word += 4;
                break;
            case plan::Op::touch:
                touch(word);
                word += 3;
                break;
            default:
                run_rare(lane, word);
                word += plan::words_of(op);
                break;
        }
    }
}

void Player::free_everything() noexcept {
    for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
        const std::uint64_t value = slots_[slot].load(std::memory_order_relaxed);  // all other lanes are idle
        if ((value & kBlockBits) > kRefused && !placement_.owns(block_of(value))) {
            std::free(block_of(value));
        }
        slots_[slot].store(0, std::memory_order_relaxed);  // likewise
    }
    placement_.release_everything();
}

bool trim_allocator() noexcept {
    // Each allocator has its own word for it; the first that is found in this process is the one under test, because
    // glibc's malloc_trim, which is always there, is asked last.
    static const auto collect = reinterpret_cast<void (*)(bool)>(dlsym(RTLD_DEFAULT, "mi_collect"));
    static const auto control =
        reinterpret_cast<int (*)(const char*, void*, std::size_t*, void*, std::size_t)>(dlsym(RTLD_DEFAULT, "mallctl"));
    static const auto release = reinterpret_cast<void (*)()>(dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory"));
    static const auto command = reinterpret_cast<int (*)(int, void*)>(dlsym(RTLD_DEFAULT, "scalable_allocation_command"));
    if (collect != nullptr) {
        collect(true);
        return true;
    }
    if (control != nullptr) {
        // 4096 is MALLCTL_ARENAS_ALL.
        return control("arena.4096.purge", nullptr, nullptr, nullptr, 0) == 0;
    }
    if (release != nullptr) {
        release();
        return true;
    }
    if (command != nullptr) {
        constexpr int kCleanAllBuffers = 0;
        return command(kCleanAllBuffers, nullptr) == 0;
    }
    Dl_info where{};
    Dl_info trim{};
    if (dladdr(reinterpret_cast<void*>(&std::malloc), &where) != 0 && dladdr(reinterpret_cast<void*>(&malloc_trim), &trim) != 0 &&
        where.dli_fbase == trim.dli_fbase) {
        static_cast<void>(malloc_trim(0));
        return true;
    }
    return false;
}

}  // namespace heapwright::replay_worker
