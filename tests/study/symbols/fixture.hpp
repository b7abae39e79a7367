// The fixture library loaded into the test, and copies of it that were stripped in every way that distributions use.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/study/symbols/module_list.hpp>

namespace heapwright::study::test {

/// A folder that disappears with the object.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "heapwright-symbols-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

inline void run(const std::string& command) {
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
}

/// What the dynamic linker knows of one loaded library.
struct Loaded {
    std::uint64_t bias = 0;
    std::uint64_t begin = ~std::uint64_t{0};
    std::uint64_t end = 0;
    std::vector<std::uint8_t> build_id;
};

inline int look_at_library(dl_phdr_info* info, std::size_t, void* data) {
    auto& [path, loaded] = *static_cast<std::pair<std::string, Loaded>*>(data);
    if (path != info->dlpi_name) {
        return 0;
    }
    loaded.bias = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& segment = info->dlpi_phdr[i];
        const std::uint64_t begin = info->dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD) {
            loaded.begin = std::min(loaded.begin, begin);
            loaded.end = std::max(loaded.end, begin + segment.p_memsz);
        } else if (segment.p_type == PT_NOTE) {
            for (std::uint64_t at = begin; at + sizeof(ElfW(Nhdr)) <= begin + segment.p_memsz;) {
                const auto* note = reinterpret_cast<const ElfW(Nhdr)*>(at);
                const auto* bytes = reinterpret_cast<const std::uint8_t*>(note + 1) + ((note->n_namesz + 3U) & ~3U);
                if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4) {
                    loaded.build_id.assign(bytes, bytes + note->n_descsz);
                }
                at += sizeof *note + ((note->n_namesz + 3U) & ~3U) + ((note->n_descsz + 3U) & ~3U);
            }
        }
    }
    return 1;
}

/// A library that is loaded while the object lives.
class Library {
public:
    explicit Library(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        INFO(path);
        REQUIRE(handle_ != nullptr);
        link_map* map = nullptr;
        REQUIRE(dlinfo(handle_, RTLD_DI_LINKMAP, &map) == 0);
        std::pair<std::string, Loaded> query = {map->l_name, {}};
        dl_iterate_phdr(look_at_library, &query);
        path_ = std::filesystem::canonical(query.first).string();
        loaded_ = query.second;
        REQUIRE(loaded_.end > loaded_.begin);
    }
    ~Library() { dlclose(handle_); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    /// Calls a function of the library that returns a return address.
    [[nodiscard]] std::uint64_t call(const char* name) const {
        auto* function = reinterpret_cast<void* (*)()>(dlsym(handle_, name));
        const bool found = function != nullptr;
        REQUIRE(found);
        return reinterpret_cast<std::uint64_t>(function());
    }
    [[nodiscard]] std::uint64_t address_of(const char* name) const {
        void* address = dlsym(handle_, name);
        REQUIRE(address != nullptr);
        return reinterpret_cast<std::uint64_t>(address);
    }

    /// The library as a trace would describe it, but with another file to look into.
    [[nodiscard]] LoadedModule module(const std::string& path) const {
        return {path, loaded_.build_id, loaded_.bias, {{loaded_.begin, loaded_.end}}};
    }
    [[nodiscard]] LoadedModule module() const { return module(path_); }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::uint64_t bias() const { return loaded_.bias; }

private:
    void* handle_;
    std::string path_;
    Loaded loaded_;
};

/// The number of the line of the fixture's source that bears a mark.
inline std::uint32_t line_of(const std::string& mark) {
    std::ifstream source(HEAPWRIGHT_FIXTURE_SOURCE);
    std::string line;
    for (std::uint32_t number = 1; std::getline(source, line); ++number) {
        if (line.ends_with("// mark: " + mark)) {
            return number;
        }
    }
    FAIL("no mark ", mark);
    return 0;
}

}  // namespace heapwright::study::test
