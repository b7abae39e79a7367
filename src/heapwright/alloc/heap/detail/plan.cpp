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

/// Returns: false when there is no memory.
bool keep(std::string_view text, std::string_view& kept) noexcept {
    if (text.empty()) {
        return true;
    }
    auto* const room = static_cast<char*>(allocate_metadata(text.size()));
    if (room == nullptr) {
        return false;
    }
    __builtin_memcpy(room, text.data(), text.size());
    kept = {room, text.size()};
    return true;
}

}  // namespace

bool PlanEntry::is_found() const noexcept {
    return std::all_of(frames.begin(), frames.end(), [](const PlanFrame& frame) { return frame.module->is_found; });
}

const PlanModule* PlanEntry::other_build() const noexcept {
    for (const PlanFrame& frame : frames) {
        if (!frame.module->is_found && frame.module->is_other_build) {
            return frame.module;
        }
    }
    return nullptr;
}

const PlanModule* Plan::module_of(const BuildId& build, std::string_view file) noexcept {
    for (PlanModule* module = modules_; module != nullptr; module = module->next) {
        if (module->build == build && module->file == file) {
            return module;
        }
    }
    void* const room = allocate_metadata(sizeof(PlanModule));
    std::string_view kept;
    if (room == nullptr || !keep(file, kept)) {
        return nullptr;
    }
    modules_ = new (room) PlanModule{.build = build, .file = kept, .next = modules_};
    return modules_;
}

/// Empty: there is no memory.
std::span<const PlanFrame> Plan::frames_of(const PlannedSite& site) noexcept {
    const std::size_t count = std::size_t{site.returns.count} + site.callers.count;
    auto* const frames = static_cast<PlanFrame*>(allocate_metadata(count * sizeof(PlanFrame)));
    if (frames == nullptr) {
        return {};
    }
    std::size_t made = 0;
    const auto add = [&](const BuildId& build, std::string_view file, std::uint64_t offset) {
        const auto* const frame = new (frames + made) PlanFrame{.module = module_of(build, file), .offset = offset};
        made += frame->module != nullptr ? 1U : 0U;
    };
    for (const std::uint64_t offset : site.returns.view()) {
        add(site.module, site.file.view(), offset);
    }
    for (const CallerCode& caller : site.callers.view()) {
        add(caller.module, caller.file.view(), caller.offset);
    }
    return made == count ? std::span<const PlanFrame>(frames, count) : std::span<const PlanFrame>();
}

bool Plan::add(const PlannedSite& site, std::uint32_t place) noexcept {
    const std::span<const PlanFrame> frames = frames_of(site);
    void* const room = allocate_metadata(sizeof(PlanEntry));
    const bool has_context = frames.size() > 1;
    void* const context_room = has_context ? allocate_metadata(sizeof(Context)) : nullptr;
    if (frames.empty() || room == nullptr || (has_context && context_room == nullptr)) {
        return false;
    }
    const std::uint64_t most = site.place == SitePlace::bump ? placement::kMostBumpBytes : kSmallBytes;
    auto* const entry = new (room) PlanEntry{.frames = frames,
                                             .context = has_context ? new (context_room) Context : nullptr,
                                             .number = size_ + 1,
                                             .least = static_cast<std::uint32_t>(std::min(site.min_bytes, most + 1)),
                                             .most = static_cast<std::uint32_t>(std::min(site.max_bytes, most)),
                                             .place = place};
    (last_ == nullptr ? first_ : last_->next) = entry;
    last_ = entry;
    ++size_;
    return true;
}

bool Plan::meet(const os::LoadedModule& loaded, std::string_view file) noexcept {
    bool is_news = false;
    for (PlanModule* module = modules_; module != nullptr; module = module->next) {
        if (is_build(module->build, loaded.build_id)) {
            is_news = is_news || !module->is_found || module->bias != loaded.bias;
            module->is_found = true;
            module->bias = loaded.bias;
        } else if (!module->file.empty() && module->file == file) {
            module->is_other_build = true;
        }
    }
    return is_news;
}

bool Plan::waits() const noexcept {
    for (const PlanModule* module = modules_; module != nullptr; module = module->next) {
        if (!module->is_found && !module->is_other_build) {
            return true;
        }
    }
    return false;
}

}  // namespace heapwright::heap
