// openat, read, write and their kin, repeated when a signal interrupts them.
#include <heapwright/os/file.hpp>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <heapwright/os/syscall.hpp>

namespace heapwright::os {
namespace {

/// Repeats a call that a signal interrupted before it did anything.
template <class... Arguments>
long repeated_syscall(long number, Arguments... arguments) noexcept {
    long result = 0;
    do {
        result = raw_syscall(number, arguments...);
    } while (result == -EINTR);
    return result;
}

Result<File> open_file(const char* path, int flags, unsigned mode) noexcept {
    const long result = repeated_syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result)));
    }
    return File(static_cast<int>(result));
}

}  // namespace

Error file_error(int system_errno, std::uint64_t number) noexcept {
    Errc kind = Errc::io_failed;
    switch (system_errno) {
        case ENOENT:
        case ENOTDIR: kind = Errc::not_found; break;
        case EACCES:
        case EPERM:
        case EROFS: kind = Errc::permission_denied; break;
        case ENOSPC:
        case EDQUOT: kind = Errc::disk_full; break;
        case EFBIG:
        case EMFILE:
        case ENFILE: kind = Errc::limit_reached; break;
        case ENOMEM: kind = Errc::out_of_memory; break;
        case EEXIST:
        case EISDIR:
        case ELOOP:
        case ENAMETOOLONG:
        case EINVAL: kind = Errc::invalid_argument; break;
        default: break;
    }
    return Error{.kind = kind, .system_errno = static_cast<std::uint16_t>(system_errno), .detail = 0, .number = number};
}

File& File::operator=(File&& other) noexcept {
    if (this != &other) {
        close();
        descriptor_ = other.give_up();
    }
    return *this;
}

Result<File> File::open_read(const char* path) noexcept { return open_file(path, O_RDONLY, 0); }

Result<File> File::create_exclusive(const char* path, unsigned mode) noexcept { return open_file(path, O_RDWR | O_CREAT | O_EXCL, mode); }

Result<File> File::create_truncate(const char* path, unsigned mode) noexcept { return open_file(path, O_RDWR | O_CREAT | O_TRUNC, mode); }

Result<void> File::write_all(std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
        const long result = repeated_syscall(SYS_write, descriptor_, bytes.data(), bytes.size());
        if (is_failure(result)) {
            return std::unexpected(file_error(errno_of(result), bytes.size()));
        }
        bytes = bytes.subspan(static_cast<std::size_t>(result));
    }
    return {};
}

Result<void> File::write_all(std::string_view text) noexcept { return write_all(std::as_bytes(std::span(text))); }

Result<void> File::write_all_at(std::span<const std::byte> bytes, std::uint64_t offset) noexcept {
    while (!bytes.empty()) {
        const long result = repeated_syscall(SYS_pwrite64, descriptor_, bytes.data(), bytes.size(), offset);
        if (is_failure(result)) {
            return std::unexpected(file_error(errno_of(result), bytes.size()));
        }
        bytes = bytes.subspan(static_cast<std::size_t>(result));
        offset += static_cast<std::uint64_t>(result);
    }
    return {};
}

Result<std::size_t> File::read_some(std::span<std::byte> room) noexcept {
    const long result = repeated_syscall(SYS_read, descriptor_, room.data(), room.size());
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result)));
    }
    return static_cast<std::size_t>(result);
}

Result<std::size_t> File::read_full(std::span<std::byte> room) noexcept {
    std::size_t total = 0;
    while (total < room.size()) {
        const Result<std::size_t> got = read_some(room.subspan(total));
        if (!got) {
            return got;
        }
        if (*got == 0) {
            break;
        }
        total += *got;
    }
    return total;
}

Result<std::size_t> File::read_some_at(std::span<std::byte> room, std::uint64_t offset) noexcept {
    const long result = repeated_syscall(SYS_pread64, descriptor_, room.data(), room.size(), offset);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result), offset));
    }
    return static_cast<std::size_t>(result);
}

Result<std::uint64_t> File::size() const noexcept {
    struct stat facts{};
    const long result = repeated_syscall(SYS_fstat, descriptor_, &facts);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result)));
    }
    return static_cast<std::uint64_t>(facts.st_size);
}

Result<void> File::sync() noexcept {
    const long result = repeated_syscall(SYS_fdatasync, descriptor_);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result)));
    }
    return {};
}

Result<void> File::resize(std::uint64_t bytes) noexcept {
    const long result = repeated_syscall(SYS_ftruncate, descriptor_, bytes);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result), bytes));
    }
    return {};
}

void File::close() noexcept {
    if (descriptor_ >= 0) {
        // Not repeated on EINTR: Linux has closed it by then, and the number may be another file's already.
        static_cast<void>(raw_syscall(SYS_close, descriptor_));
        descriptor_ = -1;
    }
}

int File::give_up() noexcept {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return descriptor;
}

Result<std::size_t> read_file(const char* path, std::span<char> room) noexcept {
    Result<File> file = File::open_read(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    return file->read_full(std::as_writable_bytes(room));
}

Result<void> remove_file(const char* path) noexcept {
    const long result = repeated_syscall(SYS_unlink, path);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result)));
    }
    return {};
}

Result<void> rename_file(const char* from, const char* to) noexcept {
    const long result = repeated_syscall(SYS_rename, from, to);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result)));
    }
    return {};
}

}  // namespace heapwright::os
