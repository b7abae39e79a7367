// A thread inside the program that measures its memory, shows the figures, and acts when fragmentation is too high.
//
//   every interval ── look ──► file, JSON file
//                      │          ▲
//                      │          └── GET /metrics, GET /metrics.json on a port of 127.0.0.1 or a unix socket
//                      └── above the threshold ──► give memory back, and what the duties can do
//
// The thread is not one of libc's (os/thread.hpp), and it works on a table of descriptors of its own: the program cannot
// close its sockets, a child of fork does not inherit them, and it keeps none of the program's files open.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/config/memory_config.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/runtime/metrics_text.hpp>

namespace heapwright {

/// Something besides the heap that the monitor looks after: a heap of movable objects, a collected heap.
///
/// The functions run on the monitor's thread, which has no libc: they take a lock of their own or set a flag, and do not
/// call malloc. Each may be nullptr.
struct MonitorDuty {
    void* context = nullptr;
    void (*tick)(void* context) noexcept = nullptr;              ///< after each measurement
    std::uint64_t (*compact)(void* context) noexcept = nullptr;  ///< above the threshold; returns the bytes given back
};

struct MonitorOptions {
    FragmentationConfig fragmentation;
    MonitorConfig exports;
    HeapStatistics (*statistics)() noexcept = default_heap::statistics;
    std::size_t (*give_back)() noexcept = default_heap::trim;
    void (*append_metrics)(TextBuffer& text) noexcept = nullptr;  ///< lines of OpenMetrics to add, such as those of a plan
    void (*append_members)(TextBuffer& text) noexcept = nullptr;  ///< members of the JSON object to add, each behind a comma
};

/// What of a configuration concerns the monitor.
[[nodiscard]] MonitorOptions monitor_options(const MemoryConfig& config) noexcept;
/// Whether it asks for a monitor in this program.
[[nodiscard]] bool wants_monitor(const MemoryConfig& config) noexcept;

/// See the picture above.
///
///   M1  a monitor that runs has a thread; one that does not has none
///   M2  figures: measurements >= exceeded >= defragmentations
///
/// What goes wrong with a file, a port or a socket is one line on stderr; the monitor goes on and tries again at each
/// interval. Thread safety: start, stop and add_duty by one thread at a time; figures and look_now by any.
/// Example:
///   Monitor monitor;
///   MonitorOptions options;
///   options.exports.http_port = 9464;
///   if (!monitor.start(options)) { ... }   // then: curl http://127.0.0.1:9464/metrics
class Monitor {
public:
    static constexpr std::size_t kDutiesMax = 16;

    constexpr Monitor() noexcept = default;
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;
    /// Stops it.
    ~Monitor() { stop(); }

    /// Measures at once, and then at each interval.
    ///
    /// Requires: not running (checked).
    /// Fails:    as RawThread::start. A place that cannot be opened is no failure.
    [[nodiscard]] Result<void> start(const MonitorOptions& options) noexcept;

    /// Writes the files once more, closes everything, and waits for the thread. Does nothing if not running.
    ///
    /// Cost:     what the thread is at is finished first; a slow reader takes up to two seconds.
    void stop() noexcept;

    /// Fails:    limit_reached beyond kDutiesMax.
    [[nodiscard]] Result<void> add_duty(const MonitorDuty& duty) noexcept;
    /// Returns when no function of the duty runs any more, nor will.
    void remove_duty(void* context) noexcept;

    /// Measures and acts on the calling thread, whether or not the monitor runs. Writes no files.
    void look_now(const MonitorOptions& options) noexcept;

    [[nodiscard]] MonitorFigures figures() const noexcept;
    /// The fragmentation of the last look.
    ///
    /// Fails:    limit_reached when it is above the threshold and worth acting on (number: the vacant bytes).
    [[nodiscard]] Result<Share> fragmentation() const noexcept;
    [[nodiscard]] bool is_running() const noexcept { return thread_.is_started(); }
    /// The port that is listened to; 0: none. Differs from the option where that names a port that is taken.
    [[nodiscard]] std::uint16_t port() const noexcept {
        return port_.load(std::memory_order_relaxed);  // a number, nothing is read through it
    }

    /// In a child of fork: there is no thread here. Starts one if in_children is set; else the monitor is as never started. Without
    /// this call the child may stop or destroy the monitor, and nothing else.
    void after_fork_in_child() noexcept;

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    friend class MonitorWork;

    enum class Wish : std::uint32_t { none, go_on, stop };

    void measure() noexcept;
    [[nodiscard]] bool is_too_much(const Measurement& look) const noexcept;
    void act(std::uint64_t vacant_bytes) noexcept;
    void wake() noexcept;
    void forget() noexcept;

    MonitorOptions options_;
    std::uint32_t owner_pid_ = 0;  // a child of fork has the object, and no thread
    os::RawThread thread_;
    std::atomic<Wish> wish_{Wish::none};
    std::atomic<std::uint64_t> wake_place_{0};  // the thread's id in the upper half, a descriptor of its table in the lower; 0: none
    std::atomic<std::uint16_t> port_{0};
    bool in_child_ = false;
    mutable os::SpinLock figures_lock_;
    MonitorFigures figures_;                  // behind figures_lock_
    std::uint64_t useless_vacant_bytes_ = 0;  // what was vacant when acting gave nothing back; only the looking thread's
    os::SpinLock duties_lock_;
    MonitorDuty duties_[kDutiesMax];  // behind duties_lock_
    std::size_t duty_count_ = 0;      // behind duties_lock_
};

}  // namespace heapwright
