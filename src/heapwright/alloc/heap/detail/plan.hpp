// The entries of the placement plan, and where their code is now.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <heapwright/alloc/heap/detail/context.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/config/memory_config.hpp>
#include <heapwright/os/modules.hpp>

namespace heapwright::heap {

/// A program or library that the plan names.
struct PlanModule {
    BuildId build;
    std::string_view file;        ///< when the plan was made; empty: not known
    std::uintptr_t bias = 0;      ///< where it is loaded
    bool is_found = false;        ///< it is loaded
    bool is_other_build = false;  ///< a module of that file name is loaded, and it is another build
    PlanModule* next = nullptr;
};

/// A return address that the plan names.
struct PlanFrame {
    const PlanModule* module = nullptr;
    std::uint64_t offset = 0;

    /// 0: its module is not loaded.
    [[nodiscard]] std::uintptr_t code() const noexcept { return module->is_found ? module->bias + offset : 0; }
};

/// An entry of the plan, without the room that a PlannedSite has for its texts.
struct PlanEntry {
    std::span<const PlanFrame> frames;  ///< the innermost first
    Context* context = nullptr;         ///< with more than one frame
    std::uint32_t number = 0;           ///< in the order of the file, from 1
    std::uint32_t least = 0;
    std::uint32_t most = 0;
    std::uint32_t place = 0;
    PlanEntry* next = nullptr;

    /// Whether all of its code is loaded.
    [[nodiscard]] bool is_found() const noexcept;
    /// The first of its modules of which another build is loaded, and not this one; nullptr: none is.
    [[nodiscard]] const PlanModule* other_build() const noexcept;
};

/// All of them, in the order of the file. What changes them requires g_plan_lock.
class Plan {
public:
    constexpr Plan() noexcept = default;

    /// Returns: false when there is no memory.
    [[nodiscard]] bool add(const PlannedSite& site, std::uint32_t place) noexcept;
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

    /// Notes where this module is, if the plan names it. Returns whether that changed anything.
    [[nodiscard]] bool meet(const os::LoadedModule& loaded, std::string_view file) noexcept;

    /// Whether there are entries of modules that may be loaded yet.
    [[nodiscard]] bool waits() const noexcept;

    template <class Visitor>
    void for_each(Visitor visit) const noexcept {
        for (const PlanEntry* entry = first_; entry != nullptr; entry = entry->next) {
            visit(*entry);
        }
    }

private:
    [[nodiscard]] const PlanModule* module_of(const BuildId& build, std::string_view file) noexcept;
    [[nodiscard]] std::span<const PlanFrame> frames_of(const PlannedSite& site) noexcept;

    PlanEntry* first_ = nullptr;
    PlanEntry* last_ = nullptr;
    PlanModule* modules_ = nullptr;
    std::uint32_t size_ = 0;
};

/// The plan of this process.
extern constinit Plan g_plan;
/// Its entries by their numbers, from 1; empty until it begins.
extern constinit std::span<const PlanEntry*> g_entries;

}  // namespace heapwright::heap
