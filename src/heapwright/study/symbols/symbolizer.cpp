#include <heapwright/study/symbols/symbolizer.hpp>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include <heapwright/base/check.hpp>

namespace heapwright::study {

/// One file, opened when first asked for, and every address of it that was resolved so far.
struct Symbolizer::Object {
    std::string path;
    std::vector<std::uint8_t> build_id;
    std::optional<ObjectSymbols> symbols;
    std::unordered_map<std::uint64_t, std::vector<FrameId>> resolved;  // by file address
};

Symbolizer::Symbolizer(SymbolSources sources) : sources_(std::move(sources)), nowhere_(std::make_unique<Object>()) {}

Symbolizer::~Symbolizer() = default;

Symbolizer::Object* Symbolizer::object_of(const LoadedModule& module) {
    std::unique_ptr<Object>& object = objects_[{module.path, module.build_id}];
    if (!object) {
        object = std::make_unique<Object>();
        object->path = module.path;
        object->build_id = module.build_id;
    }
    return object.get();
}

ModuleListId Symbolizer::add_modules(std::vector<LoadedModule> modules) {
    std::vector<Placed> placed;
    for (const LoadedModule& module : modules) {
        Object* object = object_of(module);
        for (const LoadedModule::Range& range : module.ranges) {
            if (range.begin < range.end) {
                placed.push_back({range.begin, range.end, module.bias, object});
            }
        }
    }
    std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < placed.size(); ++i) {  // a damaged list must not break Y1
        placed[i - 1].end = std::min(placed[i - 1].end, placed[i].begin);
    }
    lists_.push_back(std::move(placed));
    HEAPWRIGHT_AUDIT(*this);
    return static_cast<ModuleListId>(lists_.size() - 1);
}

std::span<const FrameId> Symbolizer::resolve(ModuleListId list, std::uint64_t return_address) {
    return resolve_exact(list, return_address - 1);  // the call itself: the next instruction may be another line, or another function
}

std::span<const FrameId> Symbolizer::resolve_exact(ModuleListId list, std::uint64_t pc) {
    HEAPWRIGHT_CHECK(static_cast<std::size_t>(list) < lists_.size(), "resolve() needs a list that add_modules() made");
    const std::vector<Placed>& placed = lists_[static_cast<std::size_t>(list)];
    const auto after =
        std::upper_bound(placed.begin(), placed.end(), pc, [](std::uint64_t value, const Placed& place) { return value < place.begin; });
    if (after == placed.begin() || pc >= std::prev(after)->end) {
        return frames_at(*nowhere_, pc);
    }
    const Placed& place = *std::prev(after);
    return frames_at(*place.object, pc - place.bias);
}

void Symbolizer::open(Object& object) {
    object.symbols.emplace(object.path, object.build_id, sources_);
    if (object.path.empty() || object.path.starts_with('[')) {
        return;  // the kernel's own pages, or code made at run time: no file to miss
    }
    switch (object.symbols->state()) {
        case ObjectSymbols::State::ready: break;
        case ObjectSymbols::State::missing:
            complaints_.push_back("no names for '" + object.path +
                                  "': the file is gone or unreadable; its functions are shown as addresses");
            break;
        case ObjectSymbols::State::changed:
            complaints_.push_back("no names for '" + object.path + "': it has changed since the recording (build-id " +
                                  object.symbols->present_build_id() + " instead of " + hex_of(object.build_id) +
                                  "); record again or put the recorded build back");
            break;
        case ObjectSymbols::State::not_an_elf:
            complaints_.push_back("no names for '" + object.path +
                                  "': it is no ELF file that can be read; its functions are shown as addresses");
            break;
    }
}

std::span<const FrameId> Symbolizer::frames_at(Object& object, std::uint64_t file_address) {
    const auto [entry, fresh] = object.resolved.try_emplace(file_address);
    if (fresh) {
        if (!object.symbols) {
            open(object);
        }
        for (Frame& frame : object.symbols->frames_at(file_address)) {
            entry->second.push_back(frames_.intern(std::move(frame)));
        }
    }
    return entry->second;
}

const char* Symbolizer::broken_invariant() const {
    for (const std::vector<Placed>& placed : lists_) {
        for (std::size_t i = 0; i < placed.size(); ++i) {
            if (i > 0 && placed[i - 1].end > placed[i].begin) {
                return "Y1: the ranges of a module list overlap";
            }
            if (placed[i].object == nullptr) {
                return "Y2: a range has no module";
            }
        }
    }
    return nullptr;
}

}  // namespace heapwright::study
