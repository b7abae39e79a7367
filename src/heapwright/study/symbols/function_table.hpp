// Where functions begin and end in one file, from its symbol tables and, where symbols were stripped, its unwind table.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <elfutils/libdwfl.h>

namespace heapwright::study {

/// Functions sorted by address.
///
/// libdw's own address look-up walks all symbols each time; with 20 000 pcs over 40 000 symbols that is too slow.
///
///   F1  symbols are sorted by begin
///   F2  starts are sorted
class FunctionTable {
public:
    struct Hit {
        std::string_view symbol;  ///< as in the symbol table; empty when only the start is known
        std::uint64_t begin = 0;  ///< the function's start
    };

    /// Reads .symtab (of the file or its debug file), .dynsym, .gnu_debugdata and .eh_frame_hdr. Names stay owned by `module`.
    explicit FunctionTable(Dwfl_Module* module);

    /// The function that `address` (in the module's own numbering) belongs to; begin is 0 when nothing is known.
    [[nodiscard]] Hit find(std::uint64_t address) const;

    [[nodiscard]] const char* broken_invariant() const;

private:
    struct Symbol {
        std::uint64_t begin;
        std::uint64_t size;
        const char* name;
        std::uint8_t rank;  // lower is the better name for one address
    };

    void read_symbols(Dwfl_Module* module);
    void read_unwind_starts(Dwfl_Module* module);
    [[nodiscard]] const Symbol* symbol_at(std::uint64_t address, std::uint64_t function_begin) const;

    std::vector<Symbol> symbols_;
    std::vector<std::uint64_t> starts_;  // of all functions with an unwind entry
};

}  // namespace heapwright::study
