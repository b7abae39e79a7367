// A preload library for tests: at each allocation of any program it takes the stack twice, with StackCapture and with
// libgcc's unwinder, and counts where the two differ.
//
// HEAPWRIGHT_STACK_CHECK=DIR   each process writes DIR/<pid>.count (struct Counts, shared memory) and DIR/<pid>.log
// HEAPWRIGHT_STACK_MODE=frames capture by frame pointers only (then differences are only counted as such)
// HEAPWRIGHT_STACK_MODE=price  only capture, so that callgrind sees what a capture costs
// HEAPWRIGHT_STACK_DEPTH=N     how many frames are compared; 32
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <unwind.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/trace/stack/stack_capture.hpp>

namespace {

using namespace heapwright;
using trace::StackId;
using trace::stack::CallSite;

/// What the test reads; all of it 64-bit numbers in this order.
struct Counts {
    std::atomic<std::uint64_t> events;   // stacks taken
    std::atomic<std::uint64_t> wrong;    // a frame within the depth differs
    std::atomic<std::uint64_t> shorter;  // ours ends before libgcc's
    std::atomic<std::uint64_t> longer;   // libgcc's ends first: code without tables, followed by frame pointer
    std::atomic<std::uint64_t> walked_frames;
    std::atomic<std::uint64_t> walks;
    std::atomic<std::uint64_t> broken_splices;
    std::atomic<std::uint64_t> whole_walks;
    std::atomic<std::uint64_t> compared_frames;
    std::atomic<std::uint64_t> nodes;
    std::atomic<std::uint64_t> pcs;
    std::atomic<std::uint64_t> broken_invariants;
    std::atomic<std::uint64_t> stack_switches;
};

constexpr int kMostCompared = 512;

trace::stack::RuleCache rules;
trace::stack::NodeTree nodes;
Counts* counts = nullptr;
int log_file = -1;
unsigned depth = 32;
bool by_frame_pointer = false;
bool is_compared = true;
std::atomic<bool> is_ready{false};
char first_memory[65536];  // what dlsym wants before the real functions are known
std::size_t first_used = 0;

struct ThreadState {
    bool inside = false;
    bool failed = false;
    trace::stack::StackCapture* capture = nullptr;
};
__attribute__((tls_model("initial-exec"))) thread_local ThreadState state;

template <class Function>
Function* real(const char* name) noexcept {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void* take_first(std::size_t bytes) noexcept {
    const std::size_t at = (first_used + 15) & ~std::size_t{15};
    first_used = at + bytes;
    return first_used <= sizeof first_memory ? first_memory + at : nullptr;
}

void open_process_files(const char* folder) noexcept {
    char name[520] = {};
    std::snprintf(name, sizeof name, "%s/%d.count", folder, static_cast<int>(::getpid()));
    const int file = ::open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || ::ftruncate(file, sizeof(Counts)) != 0) {
        return;
    }
    void* const place = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    counts = place == MAP_FAILED ? nullptr : static_cast<Counts*>(place);
    std::snprintf(name, sizeof name, "%s/%d.log", folder, static_cast<int>(::getpid()));
    log_file = ::open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

void start_in_child() noexcept {
    rules.after_fork_in_child();
    nodes.after_fork_in_child();
    if (state.capture != nullptr) {
        state.capture->after_fork_in_child();
    }
    if (const char* const folder = std::getenv("HEAPWRIGHT_STACK_CHECK"); folder != nullptr) {
        open_process_files(folder);
    }
}

__attribute__((constructor)) void start() noexcept {
    state.inside = true;
    const char* const folder = std::getenv("HEAPWRIGHT_STACK_CHECK");
    if (folder != nullptr && rules.open() && nodes.open(rules)) {
        open_process_files(folder);
        if (const char* const text = std::getenv("HEAPWRIGHT_STACK_DEPTH"); text != nullptr) {
            depth = static_cast<unsigned>(std::atoi(text));
        }
        if (const char* const text = std::getenv("HEAPWRIGHT_STACK_MODE"); text != nullptr) {
            is_compared = std::strcmp(text, "price") != 0;
            by_frame_pointer = std::strcmp(text, "frames") == 0;
        }
        pthread_atfork(nullptr, nullptr, &start_in_child);
        is_ready.store(counts != nullptr, std::memory_order_release);
    }
    state.inside = false;
}

struct Reference {
    std::uintptr_t pcs[kMostCompared];
    int size = 0;
    int wanted = 0;
    bool found_site = false;
    std::uintptr_t site = 0;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* argument) {
    auto& reference = *static_cast<Reference*>(argument);
    int is_exact = 0;
    const std::uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);
    reference.found_site = reference.found_site || pc == reference.site;
    if (reference.found_site && pc != 0) {
        reference.pcs[reference.size++] = is_exact != 0 ? pc + 1 : pc;
    }
    return reference.size == reference.wanted ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

void write_difference(const Reference& reference, const std::uintptr_t* ours, int our_size) noexcept {
    for (int i = 0; i < reference.wanted && (i < reference.size || i < our_size); ++i) {
        Text<160> line;
        line.append(i < reference.size && i < our_size && reference.pcs[i] == ours[i] ? "  same " : "  DIFF ");
        line.append_hex(i < reference.size ? reference.pcs[i] : 0);
        line.append(" ours ");
        line.append_hex(i < our_size ? ours[i] : 0);
        line.append("\n");
        (void)!::write(log_file, line.view().data(), line.view().size());
    }
    (void)!::write(log_file, "----\n", 5);
}

void add(std::atomic<std::uint64_t>& counter, std::uint64_t number) noexcept { counter.fetch_add(number, std::memory_order_relaxed); }

HEAPWRIGHT_NOINLINE void compare(const CallSite& site) noexcept {
    if (state.capture == nullptr) {
        void* const place = os::map_pages(sizeof(trace::stack::StackCapture), "check");
        state.failed = place == nullptr;
        if (state.failed) {
            return;
        }
        state.capture = new (place) trace::stack::StackCapture;
        const auto mode = by_frame_pointer ? trace::stack::StackMode::frames : trace::stack::StackMode::full;
        state.failed = !state.capture->open(rules, nodes, mode);
    }
    if (state.failed) {
        return;
    }
    const auto before = state.capture->counters();
    const StackId id = state.capture->capture(site, depth);
    const auto after = state.capture->counters();
    if (!is_compared) {
        counts->nodes.store(nodes.published(), std::memory_order_relaxed);
        counts->pcs.store(rules.known_pcs(), std::memory_order_relaxed);
        add(counts->events, 1);
        add(counts->walks, after.walks - before.walks);
        return;
    }
    static thread_local Reference reference;
    reference.size = 0;
    reference.wanted = static_cast<int>(depth);
    reference.found_site = false;
    reference.site = site.return_address;
    _Unwind_Backtrace(&visit, &reference);

    static thread_local std::uintptr_t ours[kMostCompared];
    int size = 0;
    for (auto at = static_cast<std::uint32_t>(id); at != 0 && size < reference.wanted;) {
        const trace::StackNode node = nodes.node(at);
        ours[size++] = node.pc;
        at = static_cast<std::uint32_t>(node.parent);
    }
    const int common = size < reference.size ? size : reference.size;
    bool is_wrong = false;
    for (int i = 0; i < common; ++i) {
        is_wrong = is_wrong || ours[i] != reference.pcs[i];
    }
    add(counts->events, 1);
    add(counts->compared_frames, static_cast<std::uint64_t>(common));
    add(counts->walked_frames, after.walked_frames - before.walked_frames);
    add(counts->walks, after.walks - before.walks);
    add(counts->broken_splices, after.broken_splices - before.broken_splices);
    add(counts->whole_walks, after.whole_walks - before.whole_walks);
    add(counts->stack_switches, after.stack_switches - before.stack_switches);
    counts->nodes.store(nodes.published(), std::memory_order_relaxed);
    counts->pcs.store(rules.known_pcs(), std::memory_order_relaxed);
    if (const char* const sentence = state.capture->broken_invariant(); sentence != nullptr) {
        add(counts->broken_invariants, 1);
    }
    const bool is_shorter = !is_wrong && size < reference.size;
    add(counts->wrong, is_wrong ? 1 : 0);
    add(counts->shorter, is_shorter ? 1 : 0);
    add(counts->longer, !is_wrong && size > reference.size ? 1 : 0);
    if ((is_wrong || is_shorter) && counts->wrong.load() + counts->shorter.load() <= 20) {
        write_difference(reference, ours, size);
    }
}

HEAPWRIGHT_ALWAYS_INLINE void check(const CallSite& site) noexcept {
    if (is_ready.load(std::memory_order_acquire) && !state.inside) {
        state.inside = true;
        compare(site);
        state.inside = false;
    }
}

}  // namespace

extern "C" {

HEAPWRIGHT_EXPORT void* malloc(std::size_t bytes) {
    static auto* const function = real<void*(std::size_t)>("malloc");
    check(trace::stack::call_site_here());
    return function(bytes);
}

HEAPWRIGHT_EXPORT void* calloc(std::size_t count, std::size_t bytes) {
    static std::atomic<void* (*)(std::size_t, std::size_t)> function{nullptr};
    static std::atomic<bool> is_looking{false};
    auto* call = function.load();
    if (call == nullptr) {
        if (is_looking.exchange(true)) {
            return take_first(count * bytes);
        }
        call = real<void*(std::size_t, std::size_t)>("calloc");
        function.store(call);
    }
    check(trace::stack::call_site_here());
    return call(count, bytes);
}

HEAPWRIGHT_EXPORT void* realloc(void* block, std::size_t bytes) {
    static auto* const function = real<void*(void*, std::size_t)>("realloc");
    check(trace::stack::call_site_here());
    return function(block, bytes);
}

HEAPWRIGHT_EXPORT int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
    static auto* const function = real<int(void**, std::size_t, std::size_t)>("posix_memalign");
    check(trace::stack::call_site_here());
    return function(block, alignment, bytes);
}

HEAPWRIGHT_EXPORT void free(void* block) {
    static auto* const function = real<void(void*)>("free");
    if (block < first_memory || block >= first_memory + sizeof first_memory) {
        function(block);
    }
}

}  // extern "C"
