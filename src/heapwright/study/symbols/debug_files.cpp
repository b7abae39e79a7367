#include <heapwright/study/symbols/debug_files.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <zlib.h>

namespace heapwright::study {
namespace {

std::vector<std::uint8_t> build_id_of(int fd) {
    std::vector<std::uint8_t> result;
    Elf* elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr);
    const void* bits = nullptr;
    const ssize_t bytes = elf == nullptr ? 0 : dwelf_elf_gnu_build_id(elf, &bits);
    if (bytes > 0) {
        const auto* begin = static_cast<const std::uint8_t*>(bits);
        result.assign(begin, begin + bytes);
    }
    if (elf != nullptr) {
        elf_end(elf);
    }
    return result;
}

GElf_Word crc_of(int fd) {
    std::array<unsigned char, 1U << 16U> block;
    uLong crc = crc32(0, nullptr, 0);
    for (off_t at = 0;;) {
        const ssize_t got = pread(fd, block.data(), block.size(), at);
        if (got <= 0) {
            return static_cast<GElf_Word>(crc);
        }
        crc = crc32(crc, block.data(), static_cast<uInt>(got));
        at += got;
    }
}

// A debug file fits by build-id; where the program has none, by the checksum that .gnu_debuglink holds.
bool fits(Dwfl_Module* module, int fd, GElf_Word wanted_crc) {
    const unsigned char* bits = nullptr;
    GElf_Addr where = 0;
    const int bytes = dwfl_module_build_id(module, &bits, &where);
    if (bytes > 0) {
        const std::vector<std::uint8_t> found = build_id_of(fd);
        return std::equal(found.begin(), found.end(), bits, bits + bytes);
    }
    return crc_of(fd) == wanted_crc;
}

int open_by_debuglink(Dwfl_Module* module, const SymbolSources& sources, const char* file_name, const char* link, GElf_Word crc,
                      char** found_name) {
    std::error_code ignored;
    std::filesystem::path real = std::filesystem::canonical(file_name, ignored);
    const std::filesystem::path folder = (real.empty() ? std::filesystem::path(file_name) : real).parent_path();
    std::vector<std::filesystem::path> candidates = {folder / link, folder / ".debug" / link};
    for (const std::string& root : sources.debug_roots) {
        candidates.push_back(std::filesystem::path(root) / folder.relative_path() / link);
    }
    for (const std::filesystem::path& candidate : candidates) {
        if (candidate == real) {
            continue;
        }
        const int fd = open(candidate.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        if (fits(module, fd, crc)) {
            *found_name = strdup(candidate.c_str());
            return fd;
        }
        close(fd);
    }
    return -1;
}

}  // namespace

std::string hex_of(const std::vector<std::uint8_t>& bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t byte : bytes) {
        hex.push_back(kDigits[byte >> 4U]);
        hex.push_back(kDigits[byte & 15U]);
    }
    return hex;
}

std::string debug_file_of(const std::vector<std::uint8_t>& build_id, const SymbolSources& sources) {
    if (build_id.size() < 2) {
        return {};
    }
    const std::string hex = hex_of(build_id);
    for (const std::string& root : sources.debug_roots) {
        std::string path = root + "/.build-id/" + hex.substr(0, 2) + "/" + hex.substr(2) + ".debug";
        if (access(path.c_str(), R_OK) == 0) {
            return path;
        }
    }
    return {};
}

int find_debug_file(Dwfl_Module* module, void** userdata, const char* module_name, Dwarf_Addr base, const char* file_name,
                    const char* debuglink_file, GElf_Word debuglink_crc, char** debug_file_name) {
    const auto& sources = *static_cast<const SymbolSources*>(*userdata);
    int fd = dwfl_build_id_find_debuginfo(module, userdata, module_name, base, file_name, debuglink_file, debuglink_crc, debug_file_name);
    if (fd < 0 && debuglink_file != nullptr && file_name != nullptr) {
        fd = open_by_debuglink(module, sources, file_name, debuglink_file, debuglink_crc, debug_file_name);
    }
    if (fd < 0 && sources.debuginfod) {
        fd = dwfl_standard_find_debuginfo(module, userdata, module_name, base, file_name, debuglink_file, debuglink_crc, debug_file_name);
    }
    return fd;
}

}  // namespace heapwright::study
