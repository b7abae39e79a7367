#include <heapwright/study/replay/work_files.hpp>

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace heapwright::study {

namespace {

constexpr mode_t kOurs = 0600;

/// A file that has a name for a moment only: for file systems that have none without.
int open_and_unlink(const std::string& folder) {
    std::string pattern = folder + "/heapwright-replay-XXXXXX";
    const int descriptor = mkostemp(pattern.data(), O_CLOEXEC);
    if (descriptor >= 0) {
        unlink(pattern.c_str());
    }
    return descriptor;
}

}  // namespace

WorkFiles::WorkFiles(const std::string& wanted) : folder_(wanted) {
    if (folder_.empty()) {
        const char* const tmp = std::getenv("TMPDIR");
        folder_ = tmp != nullptr && *tmp != 0 ? tmp : "/tmp";
    }
}

WorkFiles::~WorkFiles() {
    for (const int descriptor : descriptors_) {
        close(descriptor);
    }
}

Result<std::string> WorkFiles::make() {
    int descriptor = open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kOurs);
    if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        descriptor = open_and_unlink(folder_);
    }
    if (descriptor < 0) {
        return fail_with(errno == ENOSPC ? Errc::disk_full : Errc::io_failed, 0, errno);
    }
    descriptors_.push_back(descriptor);
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(descriptor);
}

}  // namespace heapwright::study
