// The small chunks' payloads, one writer and one reader each: stacks, modules, samples, mappings, usable sizes, threads.
//
// A writer appends one record at a time to a ByteWriter and keeps what the next record is a difference to. A reader
// hands out one record at a time and stops at the first number that does not fit. Texts point into the payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/chunk.hpp>

namespace heapwright::trace {

/// A loaded file, as the modules chunk lists it.
struct Module {
    std::uint64_t begin = 0;  ///< first address of its segments
    std::uint64_t end = 0;    ///< one past the last
    std::uint64_t bias = 0;   ///< address in memory = address in the file + bias
    std::string_view path;
    std::span<const std::uint8_t> build_id;  ///< empty: the file has none
};

/// Requested bytes and what malloc_usable_size said of them.
struct UsableSize {
    std::uint64_t requested = 0;
    std::uint64_t usable = 0;
};

/// A thread, as the threads chunk lists it. A later entry of the same thread replaces the earlier one.
struct ThreadRecord {
    ThreadIndex thread = ThreadIndex::process;
    std::uint32_t tid = 0;
    Tick first_tick = 0;
    Tick last_tick = 0;
    bool finished = false;
    std::string_view name;
};

/// One line of the memory map with its name.
struct NamedMapping {
    Mapping mapping{};
    std::string_view name;
};

/// Nodes of the stack tree. The first node of a file has number 1; a chunk continues where the last one stopped.
class StackWriter {
public:
    /// `next`: the number that the first node written will have.
    explicit StackWriter(std::uint32_t next) noexcept : next_(next) {}
    void write(ByteWriter& out, const StackNode& node) noexcept;

private:
    std::uint32_t next_;
    std::uint64_t last_pc_ = 0;
};

/// Reads the payload of one chunk. A record is valid when next() returned true.
template <class Record, class State>
class RecordReader {
public:
    explicit RecordReader(std::span<const std::uint8_t> payload, State state = {}) noexcept : bytes_(payload), state_(state) {}

    /// Returns:  false at the end and at the first damage.
    [[nodiscard]] bool next(Record& record) noexcept {
        if (bytes_.at_end()) {
            return false;
        }
        if (!state_.read(bytes_, record) || !bytes_.ok()) {
            damaged_ = true;
            return false;
        }
        return true;
    }
    [[nodiscard]] bool is_damaged() const noexcept { return damaged_ || !bytes_.ok(); }

private:
    ByteReader bytes_;
    State state_;
    bool damaged_ = false;
};

namespace detail {

struct StackState {
    std::uint32_t next = 1;  // number of the next node in the file
    std::uint64_t last_pc = 0;
    bool read(ByteReader& in, StackNode& node) noexcept;
};
struct ModuleState {
    std::uint64_t last_end = 0;
    bool read(ByteReader& in, Module& module) noexcept;
};
struct SampleState {
    Sample last{};
    bool read(ByteReader& in, Sample& sample) noexcept;
};
struct MappingState {
    std::uint64_t last_end = 0;
    bool read(ByteReader& in, NamedMapping& mapping) noexcept;
};
struct UsableState {
    bool read(ByteReader& in, UsableSize& pair) noexcept;
};
struct ThreadState {
    bool read(ByteReader& in, ThreadRecord& thread) noexcept;
};

}  // namespace detail

/// Give it the number of the chunk's first node: `StackReader reader(payload, {.next = nodes_so_far + 1})`.
using StackReader = RecordReader<StackNode, detail::StackState>;
using ModuleReader = RecordReader<Module, detail::ModuleState>;
using SampleReader = RecordReader<Sample, detail::SampleState>;
using MappingReader = RecordReader<NamedMapping, detail::MappingState>;
using UsableReader = RecordReader<UsableSize, detail::UsableState>;
using ThreadReader = RecordReader<ThreadRecord, detail::ThreadState>;

class ModuleWriter {
public:
    void write(ByteWriter& out, const Module& module) noexcept;

private:
    std::uint64_t last_end_ = 0;
};

class SampleWriter {
public:
    void write(ByteWriter& out, const Sample& sample) noexcept;

private:
    Sample last_{};
};

class MappingWriter {
public:
    void write(ByteWriter& out, const Mapping& mapping, std::string_view name) noexcept;

private:
    std::uint64_t last_end_ = 0;
};

void write_usable(ByteWriter& out, const UsableSize& pair) noexcept;
void write_thread(ByteWriter& out, const ThreadRecord& thread) noexcept;

/// Text chunks, info and end: lines "key=value". In a value a newline is written \n, a backslash \\.
void write_pair(ByteWriter& out, std::string_view key, std::string_view value) noexcept;
void write_pair(ByteWriter& out, std::string_view key, std::uint64_t value) noexcept;

/// Splits a text chunk. Values are still escaped: see unescape().
class TextReader {
public:
    explicit TextReader(std::span<const std::uint8_t> payload) noexcept
        : rest_(reinterpret_cast<const char*>(payload.data()), payload.size()) {}

    /// Lines without '=' are skipped. Returns: false at the end.
    [[nodiscard]] bool next(std::string_view& key, std::string_view& value) noexcept;

private:
    std::string_view rest_;
};

/// Undoes the escapes of write_pair.
///
/// Requires: room holds value.size() bytes; it may be the value's own bytes.
/// Returns:  how many bytes the text has.
[[nodiscard]] std::size_t unescape(std::string_view value, char* room) noexcept;

}  // namespace heapwright::trace
