// Turns return addresses of a recorded program into functions and lines, after the run and from the files on disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heapwright/study/symbols/frame.hpp>
#include <heapwright/study/symbols/frame_table.hpp>
#include <heapwright/study/symbols/module_list.hpp>
#include <heapwright/study/symbols/object_symbols.hpp>

namespace heapwright::study {

/// Resolves pcs by elfutils: DWARF with inlined functions where it is installed, symbol tables and unwind tables elsewhere.
///
/// A file that is not the recorded build (another build-id) is never asked: a wrong name is worse than an address.
/// Each address of each file is resolved once, so a million stack nodes over some thousand pcs cost a million look-ups.
///
///   Y1  each list's ranges are sorted and do not overlap
///   Y2  every range names a module of its list
///
/// Thread safety: one caller.
/// Example:
///   Symbolizer symbolizer;
///   const ModuleListId list = symbolizer.add_modules(std::move(modules));
///   for (FrameId id : symbolizer.resolve(list, return_address)) { use(symbolizer.frames()[id]); }
class Symbolizer {
public:
    explicit Symbolizer(SymbolSources sources = {});
    ~Symbolizer();
    Symbolizer(const Symbolizer&) = delete;
    Symbolizer& operator=(const Symbolizer&) = delete;

    /// Registers everything that is loaded from now on. Opens nothing: files are opened when a pc falls into them.
    ModuleListId add_modules(std::vector<LoadedModule> modules);

    /// The frames at one return address, innermost (most inlined) first; never empty.
    ///
    /// Requires: `list` came from add_modules() (checked).
    /// Keeps:    the span until the Symbolizer dies.
    /// Cost:     O(log modules) once an address is known; a debug unit is read when its first address is met.
    std::span<const FrameId> resolve(ModuleListId list, std::uint64_t return_address);

    /// The same for the address of an instruction that is not a call's return address (a signal's pc).
    std::span<const FrameId> resolve_exact(ModuleListId list, std::uint64_t pc);

    [[nodiscard]] FrameTable& frames() { return frames_; }
    [[nodiscard]] const FrameTable& frames() const { return frames_; }

    /// One sentence for each file that was needed and could not be used, in the order in which they were met.
    [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

    /// The first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const;

private:
    struct Object;
    struct Placed {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        std::uint64_t bias = 0;
        Object* object = nullptr;
    };

    Object* object_of(const LoadedModule& module);
    std::span<const FrameId> frames_at(Object& object, std::uint64_t file_address);
    void open(Object& object);

    SymbolSources sources_;
    FrameTable frames_;
    std::map<std::pair<std::string, std::vector<std::uint8_t>>, std::unique_ptr<Object>> objects_;
    std::unique_ptr<Object> nowhere_;  // addresses outside of every module: code made at run time
    std::vector<std::vector<Placed>> lists_;
    std::vector<std::string> complaints_;
};

}  // namespace heapwright::study
