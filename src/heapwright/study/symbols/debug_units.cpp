#include <heapwright/study/symbols/debug_units.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <dwarf.h>

namespace heapwright::study {
namespace {

std::string tidy_path(const char* path) {
    if (path == nullptr) {
        return {};
    }
    const std::string_view text = path;
    if (text.find("/.") == std::string_view::npos && text.find("//") == std::string_view::npos) {
        return std::string(text);
    }
    return std::filesystem::path(text).lexically_normal().string();
}

// Calls act(begin, end) for each address range of an entry.
template <class Act>
void for_each_range(Dwarf_Die* die, Act act) {
    Dwarf_Addr base = 0;
    Dwarf_Addr begin = 0;
    Dwarf_Addr end = 0;
    for (ptrdiff_t at = dwarf_ranges(die, 0, &base, &begin, &end); at > 0; at = dwarf_ranges(die, at, &base, &begin, &end)) {
        if (begin < end && begin != 0) {  // functions that the linker dropped begin at 0
            act(begin, end);
        }
    }
}

const char* linkage_name(Dwarf_Die* die) {
    Dwarf_Attribute attribute;
    Dwarf_Attribute* found = dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute);
    if (found == nullptr) {
        found = dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute);
    }
    return found == nullptr ? nullptr : dwarf_formstring(found);
}

bool is_c_unit(Dwarf_Die* unit) {
    const int language = dwarf_srclang(unit);
    return language == DW_LANG_C || language == DW_LANG_C89 || language == DW_LANG_C99 || language == DW_LANG_C11;
}

bool is_cpp_unit(Dwarf_Die* unit) {
    const int language = dwarf_srclang(unit);
    return language == DW_LANG_C_plus_plus || language == DW_LANG_C_plus_plus_03 || language == DW_LANG_C_plus_plus_11 ||
           language == DW_LANG_C_plus_plus_14;
}

// The unit that holds the functions: a skeleton's split half where there is one.
Dwarf_Die content_of(Dwarf_Die unit) {
    Dwarf_Die split;
    std::uint8_t type = 0;
    if (dwarf_cu_info(unit.cu, nullptr, &type, nullptr, &split, nullptr, nullptr, nullptr) == 0 && type == DW_UT_skeleton &&
        split.cu != nullptr) {
        return split;
    }
    return unit;
}

// Where an inlined function was called from.
void call_position(Dwarf_Die* unit, Dwarf_Die* inlined, std::string& file, std::uint32_t& line) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    file.clear();
    line = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &value) == 0) {
        line = static_cast<std::uint32_t>(value);
    }
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &value) == 0 && dwarf_getsrcfiles(unit, &files, &count) == 0 &&
        value < count) {
        file = tidy_path(dwarf_filesrc(files, value, nullptr, nullptr));
    }
}

}  // namespace

void DebugUnits::index_function(Dwarf_Die* die, const Context& context, Unit& unit) {
    for_each_range(die, [&](Dwarf_Addr begin, Dwarf_Addr end) { unit.functions.push_back({begin, end, *die}); });
    const char* name = dwarf_diename(die);
    if (!context.prefix.empty() && name != nullptr && linkage_name(die) == nullptr) {
        unit.internal_names.emplace(dwarf_dieoffset(die), context.prefix + name);
    }
    // Methods of local classes and lambdas stand in their function.
    index_functions(die, {context.prefix + (name == nullptr ? "" : name) + "::", true}, unit);
}

void DebugUnits::index_functions(Dwarf_Die* parent, const Context& context, Unit& unit) {
    Dwarf_Die child;
    if (dwarf_child(parent, &child) != 0) {
        return;
    }
    do {
        const char* name = nullptr;
        switch (dwarf_tag(&child)) {
            case DW_TAG_subprogram: index_function(&child, context, unit); break;
            case DW_TAG_lexical_block: index_functions(&child, context, unit); break;
            case DW_TAG_namespace:
            case DW_TAG_module:
                name = dwarf_diename(&child);
                // A class in an unnamed namespace has methods without linkage names.
                index_functions(
                    &child,
                    {context.prefix + (name == nullptr ? "(anonymous namespace)" : name) + "::", context.types_too || name == nullptr},
                    unit);
                break;
            case DW_TAG_structure_type:
            case DW_TAG_class_type:
            case DW_TAG_union_type:
            case DW_TAG_enumeration_type:
                if (context.types_too) {
                    name = dwarf_diename(&child);
                    index_functions(&child, {context.prefix + (name == nullptr ? "(anonymous)" : name) + "::", true}, unit);
                }
                break;
            default: break;
        }
    } while (dwarf_siblingof(&child, &child) == 0);
}

// An inlined copy leads to its function's abstract entry, and that to the declaration in its namespace or class.
std::string DebugUnits::name_of(Dwarf_Die die, const Unit& unit) {
    const char* plain = dwarf_diename(&die);
    constexpr int kLongestChain = 4;
    for (int step = 0; step < kLongestChain; ++step) {
        const auto found = unit.internal_names.find(dwarf_dieoffset(&die));
        if (found != unit.internal_names.end()) {
            return found->second;
        }
        Dwarf_Attribute attribute;
        Dwarf_Attribute* link = dwarf_attr(&die, DW_AT_abstract_origin, &attribute);
        link = link == nullptr ? dwarf_attr(&die, DW_AT_specification, &attribute) : link;
        Dwarf_Die next;
        if (link == nullptr || dwarf_formref_die(link, &next) == nullptr) {
            break;
        }
        die = next;
    }
    return plain == nullptr ? "" : plain;
}

void DebugUnits::list_unit_ranges() {
    std::vector<UnitRange>& ranges = unit_ranges_.emplace();
    Dwarf_CU* unit = nullptr;
    Dwarf_Die die;
    while (dwarf_get_units(dwarf_, unit, &unit, nullptr, nullptr, &die, nullptr) == 0) {
        for_each_range(&die, [&](Dwarf_Addr begin, Dwarf_Addr end) { ranges.push_back({begin, end, die}); });
    }
    std::sort(ranges.begin(), ranges.end(), [](const UnitRange& a, const UnitRange& b) { return a.begin < b.begin; });
}

bool DebugUnits::find_unit_die(Dwarf_Addr address, Dwarf_Die& die) {
    if (dwarf_addrdie(dwarf_, address, &die) != nullptr) {
        return true;
    }
    if (!unit_ranges_) {  // clang writes no .debug_aranges
        list_unit_ranges();
    }
    const auto after = std::upper_bound(unit_ranges_->begin(), unit_ranges_->end(), address,
                                        [](Dwarf_Addr value, const UnitRange& range) { return value < range.begin; });
    if (after == unit_ranges_->begin() || address >= std::prev(after)->end) {
        return false;
    }
    die = std::prev(after)->die;
    return true;
}

DebugUnits::Unit* DebugUnits::unit_at(Dwarf_Addr address) {
    Dwarf_Die die;
    if (!find_unit_die(address, die)) {
        return nullptr;
    }
    std::unique_ptr<Unit>& unit = units_[dwarf_dieoffset(&die)];
    if (!unit) {
        unit = std::make_unique<Unit>();
        unit->die = content_of(die);
        unit->is_c = is_c_unit(&unit->die);
        index_functions(&unit->die, {"", !unit->is_c && !is_cpp_unit(&unit->die)}, *unit);
        std::sort(unit->functions.begin(), unit->functions.end(), [](const Function& a, const Function& b) { return a.begin < b.begin; });
    }
    return unit.get();
}

// From the function down through everything that was inlined at the address; outermost first.
std::vector<Dwarf_Die> DebugUnits::chain_at(const Unit& unit, Dwarf_Addr address) {
    const auto after = std::upper_bound(unit.functions.begin(), unit.functions.end(), address,
                                        [](Dwarf_Addr value, const Function& function) { return value < function.begin; });
    if (after == unit.functions.begin() || address >= std::prev(after)->end) {
        return chain_by_search(unit, address);
    }
    std::vector<Dwarf_Die> chain = {std::prev(after)->die};
    Dwarf_Die child;
    bool more = dwarf_child(&chain.back(), &child) == 0;
    while (more) {
        const int tag = dwarf_tag(&child);
        const bool scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
                           tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
        if (scope && dwarf_haspc(&child, address) == 1) {
            if (tag == DW_TAG_inlined_subroutine) {
                chain.push_back(child);
            }
            Dwarf_Die inner = child;
            more = dwarf_child(&inner, &child) == 0;
            continue;
        }
        more = dwarf_siblingof(&child, &child) == 0;
    }
    return chain;
}

// For functions that the index left out, such as those that GNU C nests inside of others.
std::vector<Dwarf_Die> DebugUnits::chain_by_search(const Unit& unit, Dwarf_Addr address) {
    std::vector<Dwarf_Die> chain;
    Dwarf_Die* scopes = nullptr;
    Dwarf_Die die = unit.die;
    const int count = dwarf_getscopes(&die, address, &scopes);
    for (int i = 0; i < count; ++i) {
        const int tag = dwarf_tag(&scopes[i]);
        if (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_subprogram) {
            chain.insert(chain.begin(), scopes[i]);
        }
        if (tag == DW_TAG_subprogram) {
            break;
        }
    }
    std::free(scopes);
    return chain;
}

std::vector<DebugUnits::Scope> DebugUnits::scopes_at(Dwarf_Addr address) {
    std::vector<Scope> scopes;
    Unit* unit = unit_at(address);
    if (unit == nullptr) {
        return scopes;
    }
    std::vector<Dwarf_Die> chain = chain_at(*unit, address);
    std::string file;
    std::uint32_t line = 0;
    if (Dwarf_Line* at = dwarf_getsrc_die(&unit->die, address)) {
        int number = 0;
        dwarf_lineno(at, &number);
        line = static_cast<std::uint32_t>(number);
        file = tidy_path(dwarf_linesrc(at, nullptr, nullptr));
    }
    for (auto die = chain.rbegin(); die != chain.rend(); ++die) {
        Scope& scope = scopes.emplace_back();
        const char* name = linkage_name(&*die);
        scope.complete = name != nullptr || unit->is_c;
        scope.symbol = name == nullptr ? name_of(*die, *unit) : name;
        scope.file = file;
        scope.line = line;
        scope.inlined = dwarf_tag(&*die) == DW_TAG_inlined_subroutine;
        if (scope.inlined) {
            call_position(&unit->die, &*die, file, line);
        }
    }
    return scopes;
}

const char* DebugUnits::broken_invariant() const {
    for (const auto& [offset, unit] : units_) {
        if (unit && !std::is_sorted(unit->functions.begin(), unit->functions.end(),
                                    [](const Function& a, const Function& b) { return a.begin < b.begin; })) {
            return "D1: a unit's functions are not sorted";
        }
    }
    return nullptr;
}

}  // namespace heapwright::study
