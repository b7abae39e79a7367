// Finds the file that holds the debug information of another: by build-id, by .gnu_debuglink, or (opt-in) by debuginfod.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <elfutils/libdwfl.h>

#include <heapwright/study/symbols/object_symbols.hpp>

namespace heapwright::study {

/// Where the debug file of a build lies below the roots: ROOT/.build-id/ab/cdef.debug. Empty when there is none.
[[nodiscard]] std::string debug_file_of(const std::vector<std::uint8_t>& build_id, const SymbolSources& sources);

/// libdwfl's question "where is the debug information of this module?"; `userdata` points to the SymbolSources.
/// Unlike libdwfl's own answer it stays off the network unless the sources say otherwise.
int find_debug_file(Dwfl_Module* module, void** userdata, const char* module_name, Dwarf_Addr base, const char* file_name,
                    const char* debuglink_file, GElf_Word debuglink_crc, char** debug_file_name);

}  // namespace heapwright::study
