#include <heapwright/study/report/output_file.hpp>

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace heapwright::study {
namespace {

Errc kind_of(int error) {
    switch (error) {
        case EACCES:
        case EPERM:
        case EROFS: return Errc::permission_denied;
        case ENOENT:
        case ENOTDIR: return Errc::not_found;
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return Errc::disk_full;
        default: return Errc::io_failed;
    }
}

Result<void> write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t wrote = write(fd, text.data(), text.size());
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return fail_with(kind_of(errno), text.size(), errno);
        }
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

Result<void> write_and_close(int fd, std::string_view text) {
    Result<void> result = write_all(fd, text);
    if (close(fd) != 0 && result) {
        result = fail_with(kind_of(errno), text.size(), errno);  // a network file system tells of a full disk only here
    }
    return result;
}

}  // namespace

Result<void> write_output(const std::string& path, std::string_view text) {
    constexpr mode_t kMode = 0666;  // the user's umask decides
    struct stat there{};
    if (stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
        const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
        return fd < 0 ? fail_with(kind_of(errno), 0, errno) : write_and_close(fd, text);
    }
    const std::string draft = path + ".heapwright-" + std::to_string(getpid());
    const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
    if (fd < 0) {
        return fail_with(kind_of(errno), 0, errno);
    }
    Result<void> result = write_and_close(fd, text);
    if (result && rename(draft.c_str(), path.c_str()) != 0) {
        result = fail_with(kind_of(errno), 0, errno);
    }
    if (!result) {
        unlink(draft.c_str());
    }
    return result;
}

}  // namespace heapwright::study
