// Finding the functions after ours, also when the first call comes before any constructor and dlsym itself allocates.
#include "real.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <dlfcn.h>
#include <sched.h>

#include "start.hpp"

#include <heapwright/os/thread.hpp>
#include <heapwright/trace/record/recorder.hpp>
#include <heapwright/trace/record/text_parts.hpp>

namespace heapwright::preload {

namespace {

enum class Stage : std::uint32_t { asleep, looking, awake };

constinit std::atomic<Stage> stage{Stage::asleep};
constinit std::atomic<std::uint32_t> looker{0};  // the thread that does the look-up

// What dlsym allocates meanwhile. The size stands in front of each block.
constexpr std::size_t kBootBytes = std::size_t{64} << 10;
alignas(16) constinit char boot_memory[kBootBytes] = {};
constinit std::size_t boot_used = 0;

void* boot_allocate(std::size_t size) noexcept {
    const std::size_t whole = (size + 31) & ~std::size_t{15};
    if (size > kBootBytes || whole > kBootBytes - boot_used) {
        return nullptr;
    }
    char* block = boot_memory + boot_used + 16;
    boot_used += whole;
    std::memcpy(block - sizeof(size), &size, sizeof(size));
    return block;
}

// The first members of Real, until the look-up is done.

bool is_looking() noexcept {
    wake_up();
    return stage.load(std::memory_order_acquire) == Stage::looking;  // pairs with the release in wake_up()
}
void* first_malloc(std::size_t size) { return is_looking() ? boot_allocate(size) : real.malloc(size); }
void* first_calloc(std::size_t count, std::size_t size) { return is_looking() ? boot_allocate(count * size) : real.calloc(count, size); }
void* first_realloc(void* block, std::size_t size) {
    if (!is_looking()) {
        return real.realloc(block, size);
    }
    void* fresh = boot_allocate(size);
    if (fresh != nullptr && block != nullptr) {
        const std::size_t old = boot_memory_size(block);
        std::memcpy(fresh, block, old < size ? old : size);
    }
    return fresh;
}
void first_free(void* block) {
    if (!is_looking()) {
        real.free(block);
    }
}
std::size_t first_usable_size(void* block) { return is_looking() ? 0 : real.usable_size(block); }
int first_posix_memalign(void** block, std::size_t alignment, std::size_t size) {
    return is_looking() ? ENOMEM : real.posix_memalign(block, alignment, size);
}
void* first_aligned_alloc(std::size_t alignment, std::size_t size) { return is_looking() ? nullptr : real.aligned_alloc(alignment, size); }
void* first_memalign(std::size_t alignment, std::size_t size) { return is_looking() ? nullptr : real.memalign(alignment, size); }
void* first_valloc(std::size_t size) { return is_looking() ? nullptr : real.valloc(size); }
void* first_pvalloc(std::size_t size) { return is_looking() ? nullptr : real.pvalloc(size); }

void look_up_allocator(Real& found) noexcept {
    look_up(found.malloc, "malloc");
    look_up(found.calloc, "calloc");
    look_up(found.realloc, "realloc");
    look_up(found.free, "free");
    look_up(found.usable_size, "malloc_usable_size");
    look_up(found.posix_memalign, "posix_memalign");
    look_up(found.aligned_alloc, "aligned_alloc");
    look_up(found.memalign, "memalign");
    look_up(found.valloc, "valloc");
    look_up(found.pvalloc, "pvalloc");
}

void look_up_system(Real& found) noexcept {
    look_up(found.exit_now, "_exit");
    look_up(found.exit_now_c, "_Exit");
    look_up(found.abort, "abort");
    look_up(found.pthread_create, "pthread_create");
    look_up(found.execve, "execve");
    look_up(found.execvpe, "execvpe");
    look_up(found.fexecve, "fexecve");
    look_up(found.execveat, "execveat");
    look_up(found.posix_spawn, "posix_spawn");
    look_up(found.posix_spawnp, "posix_spawnp");
    look_up(found.fork_only, "_Fork");
    look_up(found.dlclose, "dlclose");
    look_up(found.unshare, "unshare");
    look_up(found.setns, "setns");
    look_up(found.mmap, "mmap");
    look_up(found.munmap, "munmap");
}

/// A library of the program may bring an operator new of its own that is not malloc in disguise.
bool new_is_malloc(const Real& found) noexcept {
    const void* operator_new = next_function("_Znwm");
    Dl_info of_new;
    Dl_info of_malloc;
    if (operator_new == nullptr || dladdr(operator_new, &of_new) == 0 || of_new.dli_fname == nullptr) {
        return true;
    }
    const std::string_view name = trace::record::file_name_of(of_new.dli_fname);
    if (name.starts_with("libstdc++.so") || name.starts_with("libc++.so") || name.starts_with("libc++abi.so")) {
        return true;
    }
    return dladdr(reinterpret_cast<const void*>(found.malloc), &of_malloc) != 0 && of_malloc.dli_fbase == of_new.dli_fbase;
}

}  // namespace

constinit Real real = {
    .malloc = first_malloc,
    .calloc = first_calloc,
    .realloc = first_realloc,
    .free = first_free,
    .usable_size = first_usable_size,
    .posix_memalign = first_posix_memalign,
    .aligned_alloc = first_aligned_alloc,
    .memalign = first_memalign,
    .valloc = first_valloc,
    .pvalloc = first_pvalloc,
    .exit_now = nullptr,
    .exit_now_c = nullptr,
    .abort = nullptr,
    .pthread_create = nullptr,
    .execve = nullptr,
    .execvpe = nullptr,
    .fexecve = nullptr,
    .execveat = nullptr,
    .posix_spawn = nullptr,
    .posix_spawnp = nullptr,
    .fork_only = nullptr,
    .dlclose = nullptr,
    .unshare = nullptr,
    .setns = nullptr,
    .mmap = nullptr,
    .munmap = nullptr,
    .new_is_malloc = true,
};

void* next_function(const char* name) noexcept { return dlsym(RTLD_NEXT, name); }

void wake_up() noexcept {
    if (stage.load(std::memory_order_acquire) == Stage::awake) {  // pairs with the release below
        return;
    }
    const std::uint32_t self = os::current_tid();
    Stage expected = Stage::asleep;
    // Acquire and release on success: only one thread goes on.
    if (!stage.compare_exchange_strong(expected, Stage::looking, std::memory_order_acq_rel)) {
        // Another thread looks (wait), or this one, inside dlsym (go on with boot memory).
        while (looker.load(std::memory_order_relaxed) != self && stage.load(std::memory_order_acquire) != Stage::awake) {
            os::yield_thread();
        }
        return;
    }
    looker.store(self, std::memory_order_relaxed);  // only compared with the reader's own number
    const int kept_errno = errno;
    Real found = real;
    look_up_allocator(found);
    look_up_system(found);
    found.new_is_malloc = new_is_malloc(found);
    real = found;
    trace::record::recorder.set_foreign(boot_memory, kBootBytes);
    stage.store(Stage::awake, std::memory_order_release);  // pairs with the acquires above
    start_recording();
    errno = kept_errno;
}

bool is_boot_memory(const void* block) noexcept {
    return reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(boot_memory) < kBootBytes;
}

std::size_t boot_memory_size(const void* block) noexcept {
    std::size_t size = 0;
    std::memcpy(&size, static_cast<const char*>(block) - sizeof(size), sizeof(size));
    return size;
}

}  // namespace heapwright::preload
