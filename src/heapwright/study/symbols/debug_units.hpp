// Reads DWARF: which functions, inlined into each other, does an address belong to, and on which lines?
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <elfutils/libdw.h>

namespace heapwright::study {

/// The compilation units of one file, each indexed when its first address is asked for.
///
/// libdw's dwarf_getscopes() walks a whole unit for every address; one walk a unit and then a binary search is what makes
/// ten thousand addresses in a template-heavy program affordable.
///
///   D1  each unit's functions are sorted by begin
class DebugUnits {
public:
    /// One function of the chain at an address.
    struct Scope {
        std::string symbol;  ///< linkage name where there is one, else the source name after its namespaces and classes
        std::string file;
        std::uint32_t line = 0;
        bool inlined = false;
        bool complete = false;  ///< `symbol` is mangled, or C: a symbol table knows no better
    };

    /// Requires: `dwarf` outlives this.
    explicit DebugUnits(Dwarf* dwarf) : dwarf_(dwarf) {}

    /// The chain at `address` (in DWARF's own numbering), innermost first; empty when no debug information covers it.
    [[nodiscard]] std::vector<Scope> scopes_at(Dwarf_Addr address);

    [[nodiscard]] const char* broken_invariant() const;

private:
    struct Function {
        Dwarf_Addr begin;
        Dwarf_Addr end;
        Dwarf_Die die;
    };
    struct Unit {
        Dwarf_Die die;
        bool is_c = false;
        std::vector<Function> functions;
        /// What has no linkage name because nothing outside of the unit may call it: its name after its namespaces, by offset.
        std::unordered_map<Dwarf_Off, std::string> internal_names;
    };
    /// What encloses the entries that are being indexed.
    struct Context {
        std::string prefix;      // "fixture::(anonymous namespace)::"
        bool types_too = false;  // functions may stand in the types below
    };
    struct UnitRange {
        Dwarf_Addr begin;
        Dwarf_Addr end;
        Dwarf_Die die;
    };

    Unit* unit_at(Dwarf_Addr address);
    bool find_unit_die(Dwarf_Addr address, Dwarf_Die& die);
    void list_unit_ranges();
    static void index_functions(Dwarf_Die* parent, const Context& context, Unit& unit);
    static void index_function(Dwarf_Die* die, const Context& context, Unit& unit);
    static std::string name_of(Dwarf_Die die, const Unit& unit);
    static std::vector<Dwarf_Die> chain_at(const Unit& unit, Dwarf_Addr address);
    static std::vector<Dwarf_Die> chain_by_search(const Unit& unit, Dwarf_Addr address);

    Dwarf* dwarf_;
    std::unordered_map<Dwarf_Off, std::unique_ptr<Unit>> units_;  // by the offset of the unit's own entry
    std::optional<std::vector<UnitRange>> unit_ranges_;           // only for files without a complete .debug_aranges
};

}  // namespace heapwright::study
