// The recorder of this process: who writes, where the words go, when recording begins and ends.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/trace/record/address_filter.hpp>
#include <heapwright/trace/record/background.hpp>
#include <heapwright/trace/record/buffer_pool.hpp>
#include <heapwright/trace/record/module_list.hpp>
#include <heapwright/trace/record/options.hpp>
#include <heapwright/trace/record/sampled_set.hpp>
#include <heapwright/trace/record/thread_log.hpp>
#include <heapwright/trace/stack/node_tree.hpp>
#include <heapwright/trace/stack/rule_cache.hpp>

namespace heapwright::trace::record {

/// What the recorder must know of the program and cannot find out from below.
struct Host {
    std::size_t (*usable_size)(void* block) = nullptr;           ///< the program's malloc_usable_size
    const void* code = nullptr;                                  ///< an address in the library that serves malloc
    void (*thread_attached)(ThreadLog& log) noexcept = nullptr;  ///< a thread makes its first event; may allocate
};

/// From this size on a block is worth asking the kernel how much of it was touched.
inline constexpr std::size_t kLargeBlockBytes = std::size_t{64} << 10;

/// One a process.
///
///   threads ──words──► buffers ──full, or on a clock──► background thread ──chunks──► file
///
///   -    every attached log is in `logs_`, and its buffers belong to it alone
///   -    an event is in the file, in a buffer, or counted as dropped
///
/// States: idle (nothing yet) -> running -> stopped (the limit of size or time, or the file failed). A child of fork
/// begins again at running, with a file of its own.
class Recorder {
public:
    enum class State : std::uint8_t { idle, starting, running, stopped };

    constexpr Recorder() noexcept = default;
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // Life -------------------------------------------------------------------------------------------------------

    /// Starts if nobody has. Called by the first event, or by the library's constructor.
    ///
    /// Requires: `options` were parsed. Returns: whether events are recorded from now on.
    bool start(const Options& options, const Host& host) noexcept;

    /// Writes what there is and the closing chunk. The program may go on: resume() takes the closing chunk back.
    ///
    /// Cost: as long as writing takes; the caller waits for the background thread.
    void finish(const char* reason) noexcept;
    /// After finish(): the program goes on after all. Takes the closing chunk back.
    void resume() noexcept;

    /// Ends recording for good: nothing more is written, and every thread's next event sees it.
    void stop(const char* reason) noexcept;

    /// Ends the background thread until go_on(), for system calls that want the caller to be the only thread.
    ///
    /// Returns: a descriptor to give to go_on(); -1 when recording is over or cannot be continued.
    [[nodiscard]] int stand_still() noexcept;
    void go_on(int descriptor) noexcept;

    /// Takes every lock of the recorder, so that the child inherits nothing half done.
    void before_fork() noexcept HEAPWRIGHT_ACQUIRES(process_lock_, start_lock_, lock_);
    void after_fork_in_parent() noexcept HEAPWRIGHT_RELEASES(process_lock_, start_lock_, lock_);
    void after_fork_in_child() noexcept;

    [[nodiscard]] State state() const noexcept {
        return state_.load(std::memory_order_acquire);  // pairs with the release where it changes
    }
    [[nodiscard]] bool is_running() const noexcept { return state() == State::running; }
    /// Whether the caller runs in the process that the recorder belongs to: false in a child of vfork.
    [[nodiscard]] bool is_own_process() const noexcept;

    // Threads ----------------------------------------------------------------------------------------------------

    /// A log for the calling thread. Returns: nullptr when none can be had, or recording is over.
    [[nodiscard]] ThreadLog* attach() noexcept;
    void detach(ThreadLog& log) noexcept;

    /// Room for one more event: takes a fresh buffer when the last one is full.
    ///
    /// Requires: the caller owns the log and is inside an event (TL1).
    /// Returns:  where to write; nullptr when nothing is to be written, because recording is over.
    [[nodiscard]] Word* make_room(ThreadLog& log) noexcept;

    /// The log of the process, for a thread that has no log any more or interrupted its own. Unlock it after the event.
    ///
    /// Returns: nullptr when it is in use too. (The lock travels with the pointer, which clang's analysis cannot follow.)
    [[nodiscard]] ThreadLog* lock_process_log() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void unlock_process_log() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS { process_lock_.unlock(); }
    void count_dropped(std::uint64_t events) noexcept {
        dropped_.fetch_add(events, std::memory_order_relaxed);  // a statistic
    }

    // The program's modules -----------------------------------------------------------------------------------------

    /// A library was or is being loaded: the list is read again soon, by one of the program's threads.
    void modules_may_change() noexcept;
    /// Reads the list now. Requires: the caller is a thread of the program and holds no lock of the recorder.
    void refresh_modules() noexcept;
    /// After dlclose: what was known of its code is forgotten.
    void modules_were_unloaded() noexcept;

    // What the hot path reads ------------------------------------------------------------------------------------------

    /// Blocks to look at when they are released: large ones, and memory that is not the allocator's.
    PageFilter filter;
    /// Bit n: the usable size of an n-byte request is known.
    std::array<std::atomic<std::uint64_t>, kLargeBlockBytes / 64> usable_known{};
    SampledSet sampled;

    /// Memory that was handed out as blocks but is not the allocator's. Requires: whole OS pages' worth, said once.
    void set_foreign(const void* begin, std::size_t bytes) noexcept;
    [[nodiscard]] bool is_foreign(const void* block) const noexcept {
        return reinterpret_cast<std::uintptr_t>(block) - foreign_begin_ < foreign_bytes_;
    }

    /// Whether an address lies in the library that serves malloc.
    [[nodiscard]] bool is_allocator_code(std::uintptr_t code) const noexcept {
        return code - allocator_module_.begin < allocator_module_.end - allocator_module_.begin;
    }

    [[nodiscard]] const Options& options() const noexcept { return options_; }
    [[nodiscard]] const Host& host() const noexcept { return host_; }

private:
    friend class Background;
    friend class Drain;

    // For the background thread.
    [[nodiscard]] std::uint32_t full_buffers() noexcept;
    [[nodiscard]] ThreadLog* first_log() noexcept;
    [[nodiscard]] ModuleList take_modules() noexcept;
    void keep_modules(ModuleList list) noexcept;
    void buffers_came_back() noexcept;
    void retire_finished_logs(Drain& drain, TraceWriter& file) noexcept;
    void look_after_modules() noexcept;
    void end_recording() noexcept;

    [[nodiscard]] Buffer* take_buffer(ThreadLog& log) noexcept;
    [[nodiscard]] ThreadLog* new_log() noexcept;
    void begin_log(ThreadLog& log) noexcept;
    [[nodiscard]] bool ensure_background() noexcept;
    void mark_process() noexcept;
    /// Whether this process came from a fork that nobody announced: by a bare system call.
    [[nodiscard]] bool is_unannounced_child() const noexcept { return process_mark_ != nullptr && *process_mark_ == 0; }
    static void send_the_slow_way(ThreadLog& log) noexcept;
    void forget_logs() noexcept;

    std::atomic<State> state_{State::idle};
    std::uintptr_t foreign_begin_ = 0;
    std::size_t foreign_bytes_ = 0;
    std::uint32_t pid_ = 0;
    std::uint32_t parent_pid_ = 0;
    volatile std::uint32_t* process_mark_ = nullptr;  // on an OS page that the kernel zeroes in every child
    std::uint64_t started_ns_ = 0;
    Options options_;
    Host host_;
    ModuleOf allocator_module_;
    char parent_trace_[kPathBytesMax] = "";

    os::SpinLock lock_;  // guards what follows
    BufferPool pool_;
    ThreadLog* logs_ = nullptr;
    ThreadLog* spare_logs_ = nullptr;
    std::uint32_t attached_ = 0;
    std::uint32_t full_buffers_ = 0;
    ModuleList modules_;                // read, not yet in the file
    ModuleList known_modules_;          // the last one in the file, for a child of fork
    std::uint64_t modules_loaded_ = 0;  // the loader's counters when the list was read
    std::uint64_t modules_unloaded_ = 0;

    std::atomic<std::uint32_t> module_looks_{0};  // how many more times the list is to be read
    std::atomic<std::uint32_t> given_back_{0};    // changes when buffers become free; producers without one sleep on it
    std::atomic<std::uint64_t> dropped_{0};
    os::SpinLock start_lock_;  // held while the background thread is started

    os::SpinLock process_lock_;
    ThreadLog process_log_;

    stack::RuleCache rules_;
    stack::NodeTree nodes_;
    Background* background_ = nullptr;  // in OS pages of its own: a global must not have a destructor that runs too early
};
static_assert(std::is_trivially_destructible_v<Recorder> && std::is_trivially_destructible_v<ThreadLog>,
              "the recorder works until the last destructor of the program has run");

/// The process's recorder. Usable before constructors run and after destructors did.
extern constinit Recorder recorder;

/// The calling thread's log; never null: a thread without a log has one that sends every event the slow way.
extern constinit thread_local ThreadLog* current_log;
extern constinit ThreadLog unattached_log;
extern constinit ThreadLog detached_log;

}  // namespace heapwright::trace::record
