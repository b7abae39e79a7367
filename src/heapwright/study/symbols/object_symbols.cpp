#include <heapwright/study/symbols/object_symbols.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>

#include <heapwright/study/symbols/debug_files.hpp>
#include <heapwright/study/symbols/debug_units.hpp>
#include <heapwright/study/symbols/function_table.hpp>
#include <heapwright/study/symbols/names.hpp>

namespace heapwright::study {
namespace {

// What lies at a path now.
struct Present {
    bool opens = false;
    bool is_elf = false;
    std::vector<std::uint8_t> build_id;
};

Present look_at(const std::string& path) {
    Present present;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return present;
    }
    present.opens = true;
    if (Elf* elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr)) {
        present.is_elf = elf_kind(elf) == ELF_K_ELF;
        const void* bits = nullptr;
        const ssize_t bytes = present.is_elf ? dwelf_elf_gnu_build_id(elf, &bits) : 0;
        if (bytes > 0) {
            const auto* begin = static_cast<const std::uint8_t*>(bits);
            present.build_id.assign(begin, begin + bytes);
        }
        elf_end(elf);
    }
    close(fd);
    return present;
}

std::string address_name(std::uint64_t address) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    do {
        text.insert(text.begin(), kDigits[address & 15U]);
        address >>= 4U;
    } while (address != 0);
    return "0x" + text;
}

std::string join(const std::vector<std::string>& parts, char separator) {
    std::string text;
    for (const std::string& part : parts) {
        text += (text.empty() ? "" : std::string(1, separator)) + part;
    }
    return text;
}

}  // namespace

struct ObjectSymbols::Parts {
    ~Parts() {
        units.reset();
        if (dwfl != nullptr) {
            dwfl_end(dwfl);
        }
    }

    bool report(const std::string& path);
    Frame frame_by_table(std::uint64_t file_address) const;

    SymbolSources sources;
    State state = State::missing;
    std::string module_name;  // what frames show
    std::string present_build_id;
    std::string debug_path;  // callbacks keep a pointer to its text
    char* debug_path_text = nullptr;
    Dwfl_Callbacks callbacks{};
    Dwfl* dwfl = nullptr;
    Dwfl_Module* module = nullptr;
    GElf_Addr file_bias = 0;    // module address minus file address
    Dwarf_Addr dwarf_bias = 0;  // module address minus DWARF address
    std::optional<FunctionTable> functions;
    std::optional<DebugUnits> units;
};

bool ObjectSymbols::Parts::report(const std::string& path) {
    debug_path = join(sources.debug_roots, ':');
    debug_path_text = debug_path.data();
    callbacks.find_elf = dwfl_build_id_find_elf;
    callbacks.find_debuginfo = find_debug_file;
    callbacks.debuginfo_path = &debug_path_text;
    dwfl = dwfl_begin(&callbacks);
    if (dwfl == nullptr) {
        return false;
    }
    dwfl_report_begin(dwfl);
    module = dwfl_report_elf(dwfl, module_name.c_str(), path.c_str(), -1, 0, true);
    dwfl_report_end(dwfl, nullptr, nullptr);
    if (module == nullptr) {
        return false;
    }
    void** userdata = nullptr;
    dwfl_module_info(module, &userdata, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    *userdata = &sources;
    if (dwfl_module_getelf(module, &file_bias) == nullptr) {
        return false;
    }
    functions.emplace(module);
    if (sources.lines) {
        if (Dwarf* dwarf = dwfl_module_getdwarf(module, &dwarf_bias)) {
            units.emplace(dwarf);
        }
    }
    return true;
}

ObjectSymbols::ObjectSymbols(const std::string& path, const std::vector<std::uint8_t>& build_id, const SymbolSources& sources)
    : parts_(std::make_unique<Parts>()) {
    static const unsigned version = elf_version(EV_CURRENT);  // libelf refuses to work before it was asked
    static_cast<void>(version);
    parts_->sources = sources;
    parts_->module_name = std::filesystem::path(path).filename().string();
    const Present present = look_at(path);
    parts_->present_build_id = hex_of(present.build_id);

    std::string chosen = path;
    if (!present.opens) {
        parts_->state = State::missing;
        chosen.clear();
    } else if (!present.is_elf) {
        parts_->state = State::not_an_elf;
        chosen.clear();
    } else if (!build_id.empty() && present.build_id != build_id) {
        parts_->state = State::changed;
        chosen.clear();
    }
    if (chosen.empty()) {
        chosen = debug_file_of(build_id, sources);  // the recorded build's own debug file knows as much
    }
    if (!chosen.empty() && parts_->report(chosen)) {
        parts_->state = State::ready;
    } else if (!chosen.empty()) {
        parts_->state = State::not_an_elf;
    }
}

ObjectSymbols::~ObjectSymbols() = default;

ObjectSymbols::State ObjectSymbols::state() const { return parts_->state; }

const std::string& ObjectSymbols::present_build_id() const { return parts_->present_build_id; }

Frame ObjectSymbols::Parts::frame_by_table(std::uint64_t file_address) const {
    Frame frame;
    frame.module = module_name;
    const std::uint64_t address = file_address + file_bias;
    const FunctionTable::Hit hit = functions ? functions->find(address) : FunctionTable::Hit{};
    if (hit.begin == 0) {
        frame.function = address_name(file_address);
        frame.runtime = is_runtime_function({}, module_name);
        return frame;
    }
    frame.function = hit.symbol.empty() ? address_name(hit.begin - file_bias) : readable_name(hit.symbol);
    frame.offset = static_cast<std::uint32_t>(std::min<std::uint64_t>(address - hit.begin, ~std::uint32_t{0}));
    frame.runtime = is_runtime_function(hit.symbol, module_name);
    return frame;
}

std::vector<Frame> ObjectSymbols::frames_at(std::uint64_t file_address) {
    std::vector<Frame> frames;
    std::vector<DebugUnits::Scope> scopes;
    if (parts_->units) {
        scopes = parts_->units->scopes_at(file_address + parts_->file_bias - parts_->dwarf_bias);
    }
    for (DebugUnits::Scope& scope : scopes) {
        Frame& frame = frames.emplace_back();
        // What no other unit may call has no linkage name here, but the symbol table knows it with its parameters.
        if (!scope.inlined && !scope.complete && parts_->functions) {
            const FunctionTable::Hit hit = parts_->functions->find(file_address + parts_->file_bias);
            if (!hit.symbol.empty()) {
                scope.symbol = hit.symbol;
            }
        }
        frame.function = scope.symbol.empty() ? address_name(file_address) : readable_name(scope.symbol);
        frame.file = std::move(scope.file);
        frame.line = scope.line;
        frame.module = parts_->module_name;
        frame.inlined = scope.inlined;
        frame.runtime = is_runtime_function(scope.symbol, parts_->module_name);
    }
    if (frames.empty()) {
        frames.push_back(parts_->frame_by_table(file_address));
    }
    return frames;
}

}  // namespace heapwright::study
