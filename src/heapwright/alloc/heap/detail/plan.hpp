// The entries of the placement plan, and where their code is now.
#pragma once

#include <cstdint>
#include <string_view>

#include <heapwright/alloc/heap/detail/context.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/config/memory_config.hpp>
#include <heapwright/os/modules.hpp>

namespace heapwright::heap {

/// An entry of the plan, without the room that a PlannedSite has for its texts.
struct PlanEntry {
    BuildId module;
    std::uint64_t first_return = 0;
    Context* context = nullptr;  ///< with more than one return address
    std::uint32_t least = 0;
    std::uint32_t most = 0;
    std::uint32_t place = 0;
    std::string_view file;        ///< of the module when the plan was made; empty: not known
    std::uintptr_t bias = 0;      ///< of the module, where it is loaded
    bool is_found = false;        ///< it is loaded
    bool is_other_build = false;  ///< a module of that file name is loaded, and it is another build
    PlanEntry* next = nullptr;
};

/// All of them, in the order of the file. What changes them requires g_plan_lock.
class Plan {
public:
    constexpr Plan() noexcept = default;

    /// Returns: false when there is no memory.
    [[nodiscard]] bool add(const PlannedSite& site, std::uint32_t place) noexcept;
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

    /// Notes where the entries of this module are. Returns whether that changed anything.
    [[nodiscard]] bool meet(const os::LoadedModule& module, std::string_view file) noexcept;

    /// Whether there are entries of modules that may be loaded yet, or were loaded late.
    [[nodiscard]] bool waits() const noexcept;

    template <class Visitor>
    void for_each(Visitor visit) const noexcept {
        for (const PlanEntry* entry = first_; entry != nullptr; entry = entry->next) {
            visit(*entry);
        }
    }

private:
    PlanEntry* first_ = nullptr;
    PlanEntry* last_ = nullptr;
    std::uint32_t size_ = 0;
};

}  // namespace heapwright::heap
