#include <heapwright/study/doctor/examine.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <heapwright/study/doctor/allocator.hpp>
#include <heapwright/study/doctor/glibc_walk.hpp>
#include <heapwright/study/doctor/heapwright_heap.hpp>
#include <heapwright/study/doctor/mappings.hpp>
#include <heapwright/study/doctor/process_memory.hpp>
#include <heapwright/study/doctor/stacks.hpp>

namespace heapwright::study {

namespace {

using doctor::ProcessMapping;
using doctor::glibc::Covered;

/// One examination, step by step.
class Examiner {
public:
    Examiner(const doctor::ProcessFacts& process, std::vector<ProcessMapping> mappings)
        : process_(process), mappings_(std::move(mappings)), memory_(process.pid) {}

    Examination run() {
        describe();
        examine_heap();
        stacks_ = doctor::find_stacks(memory_, mappings_);
        for (std::size_t index = 0; index < mappings_.size(); ++index) {
            result_.counted_bytes += mappings_[index].resident_bytes;
            assign(index);
        }
        for (const Covered& covered : covered_) {
            result_.counted_bytes += covered.resident_bytes;  // pages that came between the two counts
        }
        return std::move(result_);
    }

private:
    void describe() {
        result_.pid = process_.pid;
        result_.name = process_.name;
        result_.executable = process_.executable;
        result_.threads = process_.threads;
        result_.status_rss = process_.status_rss_bytes;
        const doctor::AllocatorInUse in_use = doctor::allocator_in_use(mappings_, process_.preloaded);
        result_.allocator = in_use.kind;
        result_.allocator_file = in_use.file;
        for (const ProcessMapping& mapping : mappings_) {
            result_.swapped += mapping.swapped_bytes;
            result_.huge_pages += mapping.huge_bytes;
        }
    }

    void examine_heap() {
        if (!process_.is_64_bit) {
            result_.allocator = AllocatorKind::unknown;
            result_.caveat = "it is a 32-bit program, whose heap is not read";
            return;
        }
        using enum AllocatorKind;
        const AllocatorKind by_files = result_.allocator;
        if (by_files == heapwright || by_files == glibc || by_files == unknown) {
            examine_own();
            if (by_files != heapwright || result_.knowledge == Knowledge::walked) {  // else what glibc holds is the smallest part
                examine_glibc();
            }
        }
        if (result_.knowledge == Knowledge::estimated) {
            explain_estimate();
        }
    }

    void examine_own() {
        const auto heap = doctor::find_heapwright(memory_, mappings_);
        if (!heap) {
            if (heap.error().kind == Errc::unsupported_version) {
                result_.caveat =
                    "it runs another version of heapwright's malloc, whose tables have form " + std::to_string(heap.error().number);
            }
            return;
        }
        if (result_.allocator != AllocatorKind::glibc) {  // a program may link our heap and use it beside glibc's malloc
            result_.allocator = AllocatorKind::heapwright;
            result_.knowledge = Knowledge::walked;
        }
        const doctor::SpanFigures figures = doctor::examine_heapwright(memory_, mappings_, *heap);
        MemoryParts& parts = result_.parts;
        parts.live += figures.live_bytes;
        parts.thread_cached += figures.cached_bytes;
        parts.trimmable += figures.trimmable_bytes;
        parts.kept_free += figures.kept_bytes;
        parts.pinned_free += figures.pinned_bytes;
        parts.metadata += figures.metadata_bytes;
        result_.live_blocks += figures.live_blocks;
        for (const doctor::RegionPlace& place : heap->regions) {
            covered_.push_back({.start = place.base, .end = place.base + place.bytes, .resident_bytes = 0});
        }
        if (!covered_.empty()) {
            covered_.front().resident_bytes = figures.resident_bytes;  // of all regions together
        }
    }

    void examine_glibc() {
        const auto main_arena = doctor::glibc::find_main_arena(memory_, mappings_, process_.is_static);
        if (!main_arena) {
            return;
        }
        if (result_.allocator == AllocatorKind::unknown) {
            result_.allocator = AllocatorKind::glibc;  // inside a static executable
            result_.allocator_file = process_.executable;
        }
        result_.knowledge = Knowledge::walked;
        walked_glibc_ = true;
        const auto places = doctor::glibc::find_arenas(memory_, mappings_, *main_arena);
        doctor::glibc::HeapFigures figures = doctor::glibc::examine_arenas(memory_, mappings_, places);
        MemoryParts& parts = result_.parts;
        parts.live += figures.chunks.live_bytes;
        parts.thread_cached += figures.cached_bytes;
        parts.trimmable += figures.chunks.trimmable_bytes;
        parts.kept_free += figures.chunks.kept_bytes;
        parts.pinned_free += figures.chunks.pinned_bytes;
        parts.metadata += figures.chunks.header_bytes + figures.record_bytes;
        parts.uncertain += figures.chunks.uncertain_bytes;
        result_.live_blocks += figures.chunks.used_chunks;
        result_.fast_blocks = figures.chunks.fast_chunks;
        result_.thread_caches = figures.caches;
        result_.arenas = std::move(figures.arenas);
        covered_.insert(covered_.end(), figures.covered.begin(), figures.covered.end());
    }

    void explain_estimate() {
        if (memory_.was_refused()) {
            result_.caveat = "the kernel does not let you read its memory (kernel.yama.ptrace_scope, or a container's filter)";
        } else if (!result_.caveat.empty()) {
            return;
        } else if (process_.is_static) {
            result_.caveat = "it is statically linked, and its malloc is not glibc's";
        } else if (result_.allocator == AllocatorKind::glibc) {
            result_.caveat = "glibc's malloc has not been used, or its records have another form than those of 2.27 to 2.41";
        } else if (result_.allocator == AllocatorKind::unknown) {
            result_.caveat = "its allocator is not known";
        } else {
            result_.caveat = "its allocator is " + std::string{name_of(result_.allocator)} + ", whose blocks are not read";
        }
    }

    /// Takes from the mapping what the walks have counted already; returns what is left, and whether all of its addresses were theirs.
    std::uint64_t without_covered(const ProcessMapping& mapping, std::uint64_t bytes, bool& is_whole) {
        std::uint64_t addresses = 0;
        for (Covered& covered : covered_) {
            const std::uint64_t from = std::max(covered.start, mapping.start);
            const std::uint64_t to = std::min(covered.end, mapping.end);
            if (from < to) {
                const std::uint64_t taken = std::min(bytes, covered.resident_bytes);
                bytes -= taken;
                covered.resident_bytes -= taken;
                addresses += to - from;
            }
        }
        is_whole = addresses >= mapping.size_bytes();
        return bytes;
    }

    void assign(std::size_t index) {
        const ProcessMapping& mapping = mappings_[index];
        MemoryParts& parts = result_.parts;
        if (mapping.resident_bytes == 0) {
            return;
        }
        std::uint64_t rest = mapping.resident_bytes;
        if (!mapping.is_private_anonymous()) {
            assign_file(mapping, rest);
            return;
        }
        bool is_whole = false;
        rest = without_covered(mapping, rest, is_whole);
        const std::uint64_t lazy = std::min(rest, mapping.lazy_free_bytes);
        parts.lazy_free += lazy;
        rest -= lazy;
        if (is_whole || mapping.path.starts_with("[v")) {  // [vdso], [vvar], [vsyscall]
            parts.other += rest;
        } else if (stacks_[index]) {
            parts.stacks += rest;
        } else {
            assign_anonymous(index, rest);
        }
    }

    void assign_file(const ProcessMapping& mapping, std::uint64_t bytes) {
        const bool is_memory = mapping.path.empty() || mapping.path.starts_with("/dev/shm/") || mapping.path.starts_with("/memfd:") ||
                               mapping.path.starts_with("/SYSV") || mapping.path.starts_with("/dev/zero") || mapping.path.front() == '[';
        if (is_memory) {
            (mapping.shared ? result_.parts.shared : result_.parts.other_anonymous) += bytes;
            return;
        }
        result_.parts.files += bytes;
        result_.files_code += mapping.executable ? bytes : 0;
        result_.files_private += std::min(bytes, mapping.anonymous_bytes);
    }

    /// The pieces of a mapping that no walk has counted: the kernel joins an arena's heap with what lies beside it.
    [[nodiscard]] std::vector<ProcessMapping> uncovered(const ProcessMapping& mapping) const {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> inside{{mapping.end, mapping.end}};
        for (const Covered& covered : covered_) {
            const std::uint64_t from = std::max(covered.start, mapping.start);
            const std::uint64_t to = std::min(covered.end, mapping.end);
            if (from < to) {
                inside.emplace_back(from, to);
            }
        }
        std::sort(inside.begin(), inside.end());
        std::vector<ProcessMapping> pieces;
        std::uint64_t at = mapping.start;
        for (const auto& [from, to] : inside) {
            if (at < from) {
                pieces.push_back(mapping);
                pieces.back().start = at;
                pieces.back().end = from;
            }
            at = std::max(at, to);
        }
        return pieces;
    }

    std::uint64_t assign_mapped_blocks(const ProcessMapping& mapping, std::uint64_t bytes) {
        const doctor::glibc::MappedBlocks found = mapped_blocks_.find(mapping);
        const std::uint64_t live = std::min(bytes, found.live_bytes);
        const std::uint64_t headers = std::min(bytes - live, found.header_bytes);
        result_.parts.live += live;
        result_.parts.metadata += headers;
        result_.live_mapped += live;
        result_.live_blocks += found.blocks;
        return bytes - live - headers;
    }

    void assign_anonymous(std::size_t index, std::uint64_t bytes) {
        const ProcessMapping& mapping = mappings_[index];
        if (walked_glibc_ && mapping.writable && mapping.path.empty()) {
            for (const ProcessMapping& piece : uncovered(mapping)) {
                bytes = assign_mapped_blocks(piece, bytes);
            }
        }
        const bool is_bss = index > 0 && mapping.path.empty() && mapping.writable && mappings_[index - 1].end == mapping.start &&
                            mappings_[index - 1].is_file() && mappings_[index - 1].writable;
        if (is_bss) {
            result_.files_private += bytes;
        }
        (is_bss ? result_.parts.files : result_.parts.other_anonymous) += bytes;
    }

    doctor::ProcessFacts process_;
    std::vector<ProcessMapping> mappings_;
    doctor::ProcessMemory memory_;
    doctor::glibc::MappedBlockSearch mapped_blocks_{memory_};
    Examination result_;
    std::vector<bool> stacks_;
    std::vector<Covered> covered_;
    bool walked_glibc_ = false;
};

}  // namespace

Result<Examination> examine(int pid) {
    const auto process = doctor::read_process_facts(pid);
    if (!process) {
        return std::unexpected(process.error());
    }
    const auto text = doctor::read_text("/proc/" + std::to_string(pid) + "/smaps");
    if (!text) {
        const bool denied = text.error().kind == Errc::permission_denied;
        return doctor::refuse(denied ? doctor::Refusal::not_permitted : doctor::Refusal::ended, process->user, text.error().system_errno);
    }
    auto mappings = doctor::parse_mappings(*text);
    if (!mappings) {
        return std::unexpected(mappings.error());
    }
    if (mappings->empty()) {
        return doctor::refuse(doctor::Refusal::ended);
    }
    Examination result = Examiner{*process, std::move(*mappings)}.run();
    result.descendants = doctor::descendants_of(pid);
    if (!doctor::is_still_there(*process)) {
        return doctor::refuse(doctor::Refusal::ended);
    }
    return result;
}

}  // namespace heapwright::study
