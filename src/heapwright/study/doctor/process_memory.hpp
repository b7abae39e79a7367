// Another process's memory, read and never written; or a test's image of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/study/doctor/page_run.hpp>

namespace heapwright::study::doctor {

/// Memory at addresses that are another process's.
class MemorySource {
public:
    MemorySource() = default;
    MemorySource(const MemorySource&) = delete;
    MemorySource& operator=(const MemorySource&) = delete;
    virtual ~MemorySource() = default;

    /// Copies from `address`. What cannot be read, or is not resident, reads as zeroes.
    ///
    /// Returns: the bytes that were really there.
    virtual std::size_t read(std::uint64_t address, std::span<std::byte> into) = 0;
    /// Which pages of [start, end) are resident, as far as may be known; `counted_bytes` as in PageRun.
    virtual PageRun residency(std::uint64_t start, std::uint64_t end, std::uint64_t counted_bytes) = 0;

    /// An object at `address`; nothing when a part of it is not there.
    template <class T>
        requires std::is_trivially_copyable_v<T>
    [[nodiscard]] std::optional<T> object(std::uint64_t address) {
        T value{};
        if (read(address, std::as_writable_bytes(std::span{&value, 1})) != sizeof(T)) {
            return std::nullopt;
        }
        return value;
    }
};

/// A running process, by process_vm_readv and /proc/PID/pagemap: it is neither stopped nor changed. Only resident pages are
/// read, so that no page of the process comes into being, or back from swap, because somebody looked.
///
/// Thread safety: one thread.
class ProcessMemory final : public MemorySource {
public:
    explicit ProcessMemory(int pid);
    ~ProcessMemory() override;

    std::size_t read(std::uint64_t address, std::span<std::byte> into) override;
    PageRun residency(std::uint64_t start, std::uint64_t end, std::uint64_t counted_bytes) override;

    /// Whether the kernel refused to let us read: a policy such as ptrace_scope, or another user's process.
    [[nodiscard]] bool was_refused() const { return was_refused_; }
    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

private:
    std::size_t read_run(std::uint64_t address, std::span<std::byte> into);
    std::size_t read_by_file(std::uint64_t address, std::span<std::byte> into);
    void page_words(std::uint64_t start, std::span<std::uint64_t> words);

    int pid_;
    int pagemap_ = -1;
    int memory_ = -1;  // /proc/PID/mem, where process_vm_readv is not allowed
    bool by_file_ = false;
    bool was_refused_ = false;
    std::uint64_t bytes_read_ = 0;
    std::vector<std::uint64_t> words_;  // of the pages of one read
};

}  // namespace heapwright::study::doctor
