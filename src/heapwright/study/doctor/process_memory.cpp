#include <heapwright/study/doctor/process_memory.hpp>

#include <algorithm>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace heapwright::study::doctor {

ProcessMemory::ProcessMemory(int pid) : pid_(pid) {
    const std::string folder = "/proc/" + std::to_string(pid);
    pagemap_ = open((folder + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC);
    if (pagemap_ < 0 && (errno == EACCES || errno == EPERM)) {
        was_refused_ = true;
    }
}

ProcessMemory::~ProcessMemory() {
    for (const int file : {pagemap_, memory_}) {
        if (file >= 0) {
            close(file);
        }
    }
}

void ProcessMemory::page_words(std::uint64_t start, std::span<std::uint64_t> words) {
    std::fill(words.begin(), words.end(), 0);
    if (pagemap_ < 0) {
        return;
    }
    const auto bytes = std::as_writable_bytes(words);
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto place = static_cast<off_t>((start >> kPageLog2) * sizeof(std::uint64_t) + done);
        const ssize_t got = pread(pagemap_, bytes.data() + done, bytes.size() - done, place);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return;
        }
        done += static_cast<std::size_t>(got);
    }
}

PageRun ProcessMemory::residency(std::uint64_t start, std::uint64_t end, std::uint64_t counted_bytes) {
    std::vector<std::uint64_t> words((end - start) >> kPageLog2);
    page_words(start, words);
    return PageRun{start, words, counted_bytes};
}

std::size_t ProcessMemory::read_by_file(std::uint64_t address, std::span<std::byte> into) {
    if (memory_ < 0) {
        memory_ = open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
        if (memory_ < 0) {
            was_refused_ = was_refused_ || errno == EACCES || errno == EPERM;
            return 0;
        }
    }
    const ssize_t got = pread(memory_, into.data(), into.size(), static_cast<off_t>(address));
    return got > 0 ? static_cast<std::size_t>(got) : 0;
}

/// Reads resident pages; one that went away meanwhile reads as zeroes.
std::size_t ProcessMemory::read_run(std::uint64_t address, std::span<std::byte> into) {
    std::size_t there = 0;
    std::size_t done = 0;
    while (done < into.size()) {
        const std::span<std::byte> rest = into.subspan(done);
        const iovec local{.iov_base = rest.data(), .iov_len = rest.size()};
        const iovec remote{.iov_base = reinterpret_cast<void*>(address + done), .iov_len = rest.size()};
        ssize_t got =
            by_file_ ? static_cast<ssize_t>(read_by_file(address + done, rest)) : process_vm_readv(pid_, &local, 1, &remote, 1, 0);
        if (got < 0 && (errno == EPERM || errno == ENOSYS)) {
            by_file_ = true;  // a container's filter refuses the one and may allow the other
            continue;
        }
        if (got <= 0 && (was_refused_ || (got < 0 && errno == ESRCH))) {
            std::memset(rest.data(), 0, rest.size());
            return there;
        }
        got = std::max<ssize_t>(got, 0);
        there += static_cast<std::size_t>(got);
        done += static_cast<std::size_t>(got);
        if (done < into.size()) {  // a page is gone: go on behind it
            const std::size_t behind = std::min<std::size_t>(into.size(), page_down(address + done) + kPageBytes - address);
            std::memset(into.data() + done, 0, behind - done);
            done = behind;
        }
    }
    bytes_read_ += there;
    return there;
}

std::size_t ProcessMemory::read(std::uint64_t address, std::span<std::byte> into) {
    if (into.empty() || address + into.size() < address) {
        std::fill(into.begin(), into.end(), std::byte{0});
        return 0;
    }
    const std::uint64_t first = page_down(address);
    const std::uint64_t last = page_up(address + into.size());
    words_.resize((last - first) >> kPageLog2);
    page_words(first, words_);
    std::size_t there = 0;
    for (std::size_t page = 0; page < words_.size();) {
        const std::size_t begin = page;
        const bool is_present = PageWord{words_[page]}.is_present();
        while (page < words_.size() && PageWord{words_[page]}.is_present() == is_present) {
            ++page;
        }
        const std::uint64_t from = std::max(address, first + (std::uint64_t{begin} << kPageLog2));
        const std::uint64_t to = std::min(address + into.size(), first + (std::uint64_t{page} << kPageLog2));
        const std::span<std::byte> part = into.subspan(from - address, to - from);
        if (is_present) {
            there += read_run(from, part);
        } else {
            std::memset(part.data(), 0, part.size());
        }
    }
    return there;
}

}  // namespace heapwright::study::doctor
