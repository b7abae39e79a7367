#include <heapwright/study/symbols/function_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string_view>

#include <gelf.h>

namespace heapwright::study {
namespace {

std::uint8_t rank_of(const GElf_Sym& symbol, std::string_view name) {
    const auto binding = GELF_ST_BIND(symbol.st_info);
    const unsigned kind = binding == STB_GLOBAL ? 0U : binding == STB_WEAK ? 1U : 2U;
    const auto underscores = std::min<std::size_t>(name.find_first_not_of('_'), 3);
    return static_cast<std::uint8_t>((kind << 4U) | underscores);  // malloc before __libc_malloc
}

bool names_code(const GElf_Sym& symbol, const char* name) {
    const auto type = GELF_ST_TYPE(symbol.st_info);
    return name != nullptr && *name != '\0' && symbol.st_shndx != SHN_UNDEF &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && *name != '$'));
}

std::int32_t read_i32(const unsigned char* at) {
    std::int32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// The section's data and its address in the file's own numbering.
const Elf_Data* find_section(Elf* elf, const char* wanted, GElf_Shdr& header) {
    std::size_t names = 0;
    if (elf_getshdrstrndx(elf, &names) != 0) {
        return nullptr;
    }
    for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
        if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) {
            continue;
        }
        const char* name = elf_strptr(elf, names, header.sh_name);
        if (name != nullptr && std::strcmp(name, wanted) == 0) {
            return elf_rawdata(section, nullptr);
        }
    }
    return nullptr;
}

}  // namespace

FunctionTable::FunctionTable(Dwfl_Module* module) {
    read_symbols(module);
    read_unwind_starts(module);
}

void FunctionTable::read_symbols(Dwfl_Module* module) {
    const int count = dwfl_module_getsymtab(module);
    for (int i = 1; i < count; ++i) {
        GElf_Sym symbol;
        GElf_Addr address = 0;
        const char* name = dwfl_module_getsym_info(module, i, &symbol, &address, nullptr, nullptr, nullptr);
        if (names_code(symbol, name)) {
            symbols_.push_back({address, symbol.st_size, name, rank_of(symbol, name)});
        }
    }
    std::sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
        if (a.begin != b.begin) {
            return a.begin < b.begin;
        }
        if (a.rank != b.rank) {
            return a.rank > b.rank;  // the best name of an address comes last, where the search from above meets it first
        }
        return std::strcmp(a.name, b.name) > 0;
    });
}

// .eh_frame_hdr is a sorted table of (function start, unwind entry), made by the linker and never stripped.
void FunctionTable::read_unwind_starts(Dwfl_Module* module) {
    GElf_Addr bias = 0;
    Elf* elf = dwfl_module_getelf(module, &bias);
    GElf_Shdr header;
    const Elf_Data* data = elf == nullptr ? nullptr : find_section(elf, ".eh_frame_hdr", header);
    constexpr std::size_t kHeadBytes = 12;
    constexpr std::size_t kRowBytes = 8;
    if (data == nullptr || data->d_buf == nullptr || data->d_size < kHeadBytes) {
        return;
    }
    const auto* bytes = static_cast<const unsigned char*>(data->d_buf);
    constexpr unsigned char kPcRelativeI32 = 0x1b;
    constexpr unsigned char kU32 = 0x03;
    constexpr unsigned char kSectionRelativeI32 = 0x3b;
    if (bytes[0] != 1 || bytes[1] != kPcRelativeI32 || bytes[2] != kU32 || bytes[3] != kSectionRelativeI32) {
        return;  // no linker in use writes anything else on x86-64
    }
    const auto rows = std::min<std::size_t>(static_cast<std::uint32_t>(read_i32(bytes + 8)), (data->d_size - kHeadBytes) / kRowBytes);
    starts_.reserve(rows);
    for (std::size_t row = 0; row < rows; ++row) {
        const std::int64_t relative = read_i32(bytes + kHeadBytes + row * kRowBytes);
        starts_.push_back(header.sh_addr + bias + static_cast<std::uint64_t>(relative));
    }
    std::sort(starts_.begin(), starts_.end());
}

const FunctionTable::Symbol* FunctionTable::symbol_at(std::uint64_t address, std::uint64_t function_begin) const {
    auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                  [](std::uint64_t value, const Symbol& symbol) { return value < symbol.begin; });
    constexpr int kNested = 16;  // symbols that may begin inside a longer function before the search gives up
    for (int tries = 0; after != symbols_.begin() && tries < kNested; ++tries) {
        --after;
        if (address - after->begin < after->size) {
            return &*after;
        }
        // Hand-written assembly gives no size. It counts when no other function starts between it and the address.
        if (after->size == 0 && tries == 0 && function_begin != 0 && function_begin <= after->begin) {
            return &*after;
        }
    }
    return nullptr;
}

FunctionTable::Hit FunctionTable::find(std::uint64_t address) const {
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), address);
    const std::uint64_t start = after == starts_.begin() ? 0 : *std::prev(after);
    if (const Symbol* symbol = symbol_at(address, start)) {
        return {symbol->name, symbol->begin};
    }
    return {{}, start};
}

const char* FunctionTable::broken_invariant() const {
    if (!std::is_sorted(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) { return a.begin < b.begin; })) {
        return "F1: the symbols are not sorted";
    }
    if (!std::is_sorted(starts_.begin(), starts_.end())) {
        return "F2: the function starts are not sorted";
    }
    return nullptr;
}

}  // namespace heapwright::study
