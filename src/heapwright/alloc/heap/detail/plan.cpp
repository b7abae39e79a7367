#include <heapwright/alloc/heap/detail/plan.hpp>

#include <algorithm>
#include <new>

#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/alloc/heap/size_class.hpp>

namespace heapwright::heap {

namespace {

bool is_build(const BuildId& wanted, std::span<const std::uint8_t> found) noexcept {
    return wanted.size == found.size() && std::equal(found.begin(), found.end(), wanted.bytes.begin());
}

std::string_view keep(std::string_view text) noexcept {
    auto* const room = text.empty() ? nullptr : static_cast<char*>(allocate_metadata(text.size()));
    if (room == nullptr) {
        return {};
    }
    __builtin_memcpy(room, text.data(), text.size());
    return {room, text.size()};
}

}  // namespace

bool Plan::add(const PlannedSite& site, std::uint32_t place) noexcept {
    void* const room = allocate_metadata(sizeof(PlanEntry));
    const bool has_context = site.returns.count > 1;
    void* const context_room = has_context ? allocate_metadata(sizeof(Context)) : nullptr;
    if (room == nullptr || (has_context && context_room == nullptr)) {
        return false;
    }
    Context* const context = has_context ? new (context_room) Context : nullptr;
    if (has_context) {
        context->returns = site.returns;
    }
    const std::uint64_t most = site.place == SitePlace::bump ? placement::kMostBumpBytes : kSmallBytes;
    auto* const entry =
        new (room) PlanEntry{.module = site.module,
                             .first_return = site.returns.values[0],
                             .context = context,
                             .least = static_cast<std::uint32_t>(std::min(site.min_bytes, most + 1)),
                             .most = static_cast<std::uint32_t>(std::min(site.max_bytes, most)),
                             .place = place,
                             .file = last_ != nullptr && last_->file == site.file.view() ? last_->file : keep(site.file.view())};
    (last_ == nullptr ? first_ : last_->next) = entry;
    last_ = entry;
    ++size_;
    return true;
}

bool Plan::meet(const os::LoadedModule& module, std::string_view file) noexcept {
    bool is_news = false;
    for (PlanEntry* entry = first_; entry != nullptr; entry = entry->next) {
        if (is_build(entry->module, module.build_id)) {
            is_news = is_news || !entry->is_found || entry->bias != module.bias;
            entry->is_found = true;
            entry->bias = module.bias;
        } else if (!entry->file.empty() && entry->file == file) {
            entry->is_other_build = true;
        }
    }
    return is_news;
}

bool Plan::waits() const noexcept {
    bool waits = false;
    for_each([&](const PlanEntry& entry) { waits = waits || (!entry.is_found && !entry.is_other_build); });
    return waits;
}

}  // namespace heapwright::heap
