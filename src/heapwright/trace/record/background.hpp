// The recorder's own thread: it owns the file, empties the buffers, and looks at the clock.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/os/spin_lock.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/trace/record/drain.hpp>
#include <heapwright/trace/record/module_list.hpp>
#include <heapwright/trace/record/options.hpp>
#include <heapwright/trace/record/sampler.hpp>
#include <heapwright/trace/record/trace_writer.hpp>

namespace heapwright::trace::record {

class Recorder;

/// What the program's threads may ask of the background thread.
enum class Order : std::uint32_t {
    none,
    finish,  ///< write everything and the closing chunk
    resume,  ///< take the closing chunk back and go on
    stop,    ///< the closing chunk, and then no more
    leave,   ///< write everything and end; the file is left to whoever comes next
};

/// The reason with which a process gives way to another program.
inline constexpr const char* kReasonExec = "exec";

/// A thread that libc does not know, with a table of file descriptors of its own: the program can neither see nor close
/// the trace file, and closing all its files does not touch it.
///
/// Thread safety: obey() and ring() from any thread; start() and forget_after_fork() while no other thread calls anything.
class Background {
public:
    constexpr Background() noexcept = default;
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// Starts the thread. The file is created at once, or `later`: when something must be written, or after a while.
    ///
    /// Fails: what RawThread::start fails with.
    [[nodiscard]] Result<void> start(Recorder& owner, bool later) noexcept;

    /// Starts it again after leave(), on a descriptor of the file that the caller has opened.
    [[nodiscard]] Result<void> start_again(Recorder& owner, int descriptor) noexcept;

    [[nodiscard]] bool is_started() const noexcept { return thread_.is_started(); }
    void join() noexcept { thread_.join(); }
    void forget_after_fork() noexcept;

    /// Waits, for a tenth of a second at most, until path() says where the file is: a child names it as its parent's.
    void await_name() noexcept;

    /// There is work: a buffer is full, a list of modules was read.
    void ring() noexcept {
        bell_.fetch_add(1, std::memory_order_release);  // pairs with the acquire in run(): it looks again
        os::futex_wake(&bell_, 1);
    }

    /// Has the order carried out and waits for it.
    ///
    /// Returns: false when the thread does not answer within `timeout_ns`.
    bool obey(Order order, const char* reason, std::uint64_t timeout_ns = kPatienceNs) noexcept;

    /// The file's path; empty until it is created.
    [[nodiscard]] const char* path() const noexcept { return path_; }

    static constexpr std::uint64_t kPatienceNs = 10'000'000'000;
    /// The buffers that must be full before a producer rings.
    static constexpr std::uint32_t kBatchBuffers = 4;

private:
    static void body(void* self) noexcept;
    void run() noexcept;
    void take_own_descriptors() noexcept;
    [[nodiscard]] bool prepare() noexcept;
    bool create_file() noexcept;
    void write_info_chunk() noexcept;
    void write_end_chunk(const char* reason) noexcept;
    void beat() noexcept;
    void drain() noexcept;
    void carry_out(Order order) noexcept;
    void close(const char* reason) noexcept;
    void take_back_end() noexcept;
    void give_up(const char* reason) noexcept;
    [[nodiscard]] bool time_is_over() const noexcept;

    Recorder* recorder_ = nullptr;
    os::RawThread thread_;
    std::atomic<std::uint32_t> bell_{0};
    std::atomic<std::uint32_t> order_{0};     // Order
    std::atomic<std::uint32_t> answered_{0};  // counts orders carried out
    std::atomic<const char*> reason_{""};
    os::SpinLock one_order_;  // held by the thread whose order is pending

    // The background thread's.
    TraceWriter file_;
    Drain drain_;
    Sampler sampler_;
    char path_[kPathBytesMax] = "";
    int handed_over_ = -1;
    std::atomic<std::uint32_t> named_{0};  // path_ holds the file's name, or there will be none
    std::atomic<std::uint32_t> took_over_{0};
    bool later_ = false;
    bool ended_ = false;  // the closing chunk is written
    std::uint64_t began_ns_ = 0;
    std::uint64_t create_at_ns_ = 0;
    std::uint64_t next_beat_ns_ = 0;
    std::uint64_t beat_ns_ = 0;
    std::uint64_t last_drain_ns_ = 0;
    std::uint64_t cpu_before_ns_ = 0;  // of threads before this one
};

}  // namespace heapwright::trace::record
