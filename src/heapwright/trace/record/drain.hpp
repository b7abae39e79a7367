// From words to chunks: takes what the threads have written, encodes it thread by thread, and keeps the file's order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/event_encoder.hpp>
#include <heapwright/trace/record/thread_log.hpp>
#include <heapwright/trace/record/trace_writer.hpp>

namespace heapwright::trace::record {

class Recorder;

/// The background thread's translator.
///
///   -    nodes of the stack tree are in the file before the events that name them
///   -    no event with a tick before a written watermark follows it
///
/// Thread safety: the background thread only.
class Drain {
public:
    constexpr Drain() noexcept = default;

    /// Takes the memory for columns and payloads; once a process.
    [[nodiscard]] Result<void> prepare() noexcept;
    /// Begins a new file.
    void reset() noexcept;

    /// Moves every published word into the file: stack nodes, events, thread names, usable sizes, a watermark.
    ///
    /// Returns:  false when the file does not take more, or has reached the limit of bytes.
    bool run(Recorder& owner, TraceWriter& file) noexcept;

    /// Moves the words nowhere: recording is over.
    void discard(Recorder& owner) noexcept;

    /// Writes the modules that a thread of the program read, and before them the stack nodes of the modules before.
    void write_modules(Recorder& owner, TraceWriter& file) noexcept;

    /// Writes a thread's entry; `finished`: its last one.
    void announce(TraceWriter& file, ThreadLog& log, bool finished) noexcept;

    /// Writes what is known of every thread, at the end.
    void write_threads(Recorder& owner, TraceWriter& file) noexcept;

    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
    /// Events and bytes seen by the last run.
    [[nodiscard]] std::uint64_t last_events() const noexcept { return last_events_; }

private:
    void collect(Recorder& owner) noexcept;
    void write_stacks(Recorder& owner, TraceWriter& file, std::uint32_t up_to) noexcept;
    bool write_log(Recorder& owner, TraceWriter& file, ThreadLog& log) noexcept;
    struct Prefixes;
    const Word* read_prefix(Word word, const Word* next, Prefixes& prefixes, Tick& tick) noexcept;
    const Word* add_rare(ThreadLog& log, Word word, const Word* next, const Prefixes& prefixes) noexcept;
    const Word* encode_plain(ThreadLog& log, const Word* from, const Word* to) noexcept;
    const Word* encode_rare(ThreadLog& log, const Word* from) noexcept;
    bool encode(TraceWriter& file, ThreadLog& log, const Word* from, const Word* to) noexcept;
    bool close_chunk(TraceWriter& file, ThreadLog& log) noexcept;
    void note_usable(std::uint64_t requested, std::uint64_t usable) noexcept;
    void write_usable(TraceWriter& file) noexcept;
    void flush_announcements(TraceWriter& file) noexcept;
    void begin_chunk(const ThreadLog& log) noexcept;

    static constexpr std::size_t kSmallBytes = std::size_t{64} << 10;
    static constexpr std::size_t kUsableKnown = 1024;

    EventEncoder* encoder_ = nullptr;
    std::uint8_t* payload_ = nullptr;
    std::uint8_t* small_ = nullptr;  // room for one small chunk
    ByteWriter usable_;              // pairs not yet written
    std::uint32_t usable_items_ = 0;
    ByteWriter threads_;
    std::uint32_t thread_items_ = 0;
    std::array<std::array<std::uint64_t, 2>, kUsableKnown> usable_known_{};
    std::uint32_t written_nodes_ = 0;
    std::uint32_t threads_seen_ = 0;
    Tick run_began_ = 0;  // of the run before
    Tick watermark_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t last_events_ = 0;
};

}  // namespace heapwright::trace::record
