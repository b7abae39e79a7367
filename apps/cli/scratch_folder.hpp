// A folder of our own for as long as a verb works.
#pragma once

#include <string>

namespace heapwright::cli {

/// Made under TMPDIR, or /tmp; removed with all that is in it.
class ScratchFolder {
public:
    ScratchFolder();
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder();

    /// Why there is none, in a sentence; empty: there is one.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
    std::string problem_;
};

}  // namespace heapwright::cli
