// Finds the static TLS blocks of the loaded libraries and builds copies of them.
#include <heapwright/os/detail/thread_tls.hpp>

#include <cstdint>

#include <link.h>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::os::detail {
namespace {

/// Room above the thread pointer for libc's own thread structure (2304 bytes in glibc 2.36), zeroed but for the words
/// that compiled code reads.
constexpr std::size_t kControlBytes = kPageBytes;

/// Room below the last block: libraries that are opened later may still get static TLS there. Never read by us.
constexpr std::size_t kSlackBytes = kPageBytes;

/// Static blocks are packed; what lies further off is a dynamic block that happens to be below the thread pointer.
constexpr std::size_t kGapMax = std::size_t{64} << 10;

/// The words at the thread pointer that compiled code uses; the System V ABI and glibc fix their places.
struct ControlWords {
    void* self;
    void* dynamic_vector;
    void* self_again;
    std::uint64_t multiple_threads;
    std::uint64_t system_info;
    std::uint64_t stack_canary;
    std::uint64_t pointer_guard;
};
static_assert(offsetof(ControlWords, self_again) == 0x10);
static_assert(offsetof(ControlWords, stack_canary) == 0x28);
static_assert(offsetof(ControlWords, pointer_guard) == 0x30);

ControlWords* own_control_words() noexcept {
    ControlWords* self = nullptr;
    asm("movq %%fs:0, %0" : "=r"(self));
    return self;
}

constinit SpinLock plan_lock;
constinit std::atomic<bool> plan_is_ready{false};
constinit StaticTlsPlan plan;

}  // namespace

void StaticTlsPlan::add(const Block& block) noexcept {
    if (count_ == kBlocksMax) {
        return;
    }
    // Insertion keeps TP1; there are a dozen blocks at most in practice.
    std::size_t place = count_;
    for (; place > 0 && blocks_[place - 1].offset > block.offset; --place) {
        blocks_[place] = blocks_[place - 1];
    }
    blocks_[place] = block;
    ++count_;
}

void StaticTlsPlan::drop_dynamic_blocks() noexcept {
    std::size_t covered = 0;
    std::size_t kept = 0;
    for (; kept < count_; ++kept) {
        const Block& block = blocks_[kept];
        if (block.bytes > block.offset || block.offset - block.bytes < covered || block.offset - block.bytes - covered > kGapMax) {
            break;
        }
        covered = block.offset;
    }
    count_ = kept;
    block_bytes_ = covered;
}

void StaticTlsPlan::collect() noexcept {
    *this = StaticTlsPlan();
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* context) -> int {
            auto& self = *static_cast<StaticTlsPlan*>(context);
            const auto thread_pointer = reinterpret_cast<std::uintptr_t>(own_control_words());
            const auto data = reinterpret_cast<std::uintptr_t>(info->dlpi_tls_data);
            for (int index = 0; index < info->dlpi_phnum; ++index) {
                const ElfW(Phdr)& header = info->dlpi_phdr[index];
                if (header.p_type != PT_TLS || data == 0 || data >= thread_pointer) {
                    continue;
                }
                self.alignment_ = header.p_align > self.alignment_ ? header.p_align : self.alignment_;
                self.add(Block{.offset = thread_pointer - data,
                               .bytes = header.p_memsz,
                               .image = reinterpret_cast<const void*>(info->dlpi_addr + header.p_vaddr),
                               .image_bytes = header.p_filesz});
            }
            return 0;
        },
        this);
    drop_dynamic_blocks();
    HEAPWRIGHT_AUDIT(*this);
}

std::size_t StaticTlsPlan::mapping_bytes() const noexcept {
    return round_to_pages(block_bytes_ + kSlackBytes) + (alignment_ > kPageBytes ? alignment_ : kPageBytes) + kControlBytes;
}

void* StaticTlsPlan::lay_out(std::byte* start) const noexcept {
    std::byte* thread_pointer = align_up(start + block_bytes_ + kSlackBytes, alignment_ > kPageBytes ? alignment_ : kPageBytes);
    for (std::size_t index = 0; index < count_; ++index) {
        const Block& block = blocks_[index];
        __builtin_memcpy(thread_pointer - block.offset, block.image, block.image_bytes);
    }
    const ControlWords* own = own_control_words();
    auto* words = reinterpret_cast<ControlWords*>(thread_pointer);
    words->self = thread_pointer;
    words->self_again = thread_pointer;
    words->multiple_threads = 1;
    words->stack_canary = own->stack_canary;
    words->pointer_guard = own->pointer_guard;
    return thread_pointer;
}

const char* StaticTlsPlan::broken_invariant() const noexcept {
    std::size_t covered = 0;
    for (std::size_t index = 0; index < count_; ++index) {
        const Block& block = blocks_[index];
        if (block.bytes > block.offset || block.offset - block.bytes < covered) {
            return "TP1: two blocks of static TLS overlap";
        }
        covered = block.offset;
    }
    return covered > block_bytes_ ? "TP2: a block of static TLS is not covered" : nullptr;
}

const StaticTlsPlan& static_tls_plan() noexcept {
    // Acquire pairs with the release below: a ready plan is seen whole.
    if (!plan_is_ready.load(std::memory_order_acquire)) {
        const LockGuard guard(plan_lock);
        // Relaxed: the lock orders it.
        if (!plan_is_ready.load(std::memory_order_relaxed)) {
            plan.collect();
            plan_is_ready.store(true, std::memory_order_release);  // pairs with the acquire above
        }
    }
    return plan;
}

}  // namespace heapwright::os::detail
