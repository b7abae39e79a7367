// What an ELF file says about itself, as far as a preload cares.
#pragma once

#include <string>

namespace heapwright::cli {

struct ElfFacts {
    bool is_elf = false;
    bool is_x86_64 = false;
    bool has_loader = false;        ///< a PT_INTERP header: the dynamic loader runs first and honours LD_PRELOAD
    bool defines_malloc = false;    ///< malloc is defined in the file: as an export, or statically inside
    bool has_capabilities = false;  ///< file capabilities: the loader runs in secure mode
};

[[nodiscard]] ElfFacts read_elf_facts(const std::string& path);

}  // namespace heapwright::cli
