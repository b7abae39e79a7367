// Files of a replay that nobody else sees and that are gone with this process, however it ends.
#pragma once

#include <string>
#include <vector>

#include <heapwright/base/error.hpp>

namespace heapwright::study {

/// Makes files without a name in one folder. They take room there, and a process that is killed leaves none behind.
///
/// Thread safety: one caller.
class WorkFiles {
public:
    /// `wanted`: the folder; empty: TMPDIR, or /tmp.
    explicit WorkFiles(const std::string& wanted);
    WorkFiles(const WorkFiles&) = delete;
    WorkFiles& operator=(const WorkFiles&) = delete;
    ~WorkFiles();

    /// Returns:  a path by which this process and its children may open the file, as long as this object lives.
    /// Fails:    disk_full, or io_failed with the folder's errno.
    [[nodiscard]] Result<std::string> make();

private:
    std::string folder_;
    std::vector<int> descriptors_;
};

}  // namespace heapwright::study
