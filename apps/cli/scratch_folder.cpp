#include "scratch_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace heapwright::cli {

ScratchFolder::ScratchFolder() {
    const char* const wanted = std::getenv("TMPDIR");
    const std::string parent = wanted == nullptr || *wanted == '\0' ? "/tmp" : wanted;
    std::string pattern = parent + "/heapwright-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) {
        path_ = pattern;
    } else {
        problem_ = "no folder can be made in '" + parent + "' (" + std::strerror(errno) + "); set TMPDIR to a folder that you may write to";
    }
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) {
        std::filesystem::remove_all(path_, ignored);
    }
}

}  // namespace heapwright::cli
