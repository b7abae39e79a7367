#include "install.hpp"

#include <filesystem>

namespace heapwright::cli {
namespace {

namespace fs = std::filesystem;

fs::path own_folder() {
    std::error_code failed;
    return fs::read_symlink("/proc/self/exe", failed).parent_path();
}

}  // namespace

std::string find_tool(const std::string& name) {
    std::error_code failed;
    for (const char* folder : {".", "../libexec/heapwright", "../bin"}) {
        const fs::path candidate = (own_folder() / folder / name).lexically_normal();
        if (fs::exists(candidate, failed)) {
            return candidate.string();
        }
    }
    return name;
}

std::string find_library(const std::string& name) {
    std::error_code failed;
    for (const char* folder : {"../lib", "../lib/x86_64-linux-gnu", "../lib64", "."}) {
        const fs::path candidate = (own_folder() / folder / name).lexically_normal();
        if (fs::exists(candidate, failed)) {
            return candidate.string();
        }
    }
    return {};
}

}  // namespace heapwright::cli
