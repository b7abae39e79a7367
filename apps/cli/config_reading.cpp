#include "config_reading.hpp"

#include "status.hpp"

namespace heapwright::cli {
namespace {

bool runs_heapwright(const AllocatorConfig& allocator) {
    return allocator.enable_custom_allocator &&
           (allocator.strategy == MallocStrategy::heapwright || allocator.strategy == MallocStrategy::heapwright_secure);
}

}  // namespace

std::string config_file_sentence(const Error& error, const std::string& path) {
    if (error.kind == Errc::not_found) {
        return "cannot read '" + path + "': there is no such file; begin one with 'heapwright config print'";
    }
    return sentence_for(error, "read", path);
}

int complain_of(const config::ConfigReading& reading, const std::string& path) {
    for (const config::ConfigMistake& mistake : reading.mistakes) {
        remark(config::sentence_of(mistake, path));
    }
    return static_cast<int>(Status::usage);
}

std::optional<config::ConfigFile> read_config_or_complain(const std::string& path, int& status) {
    const auto text = config::load_config_text(path);
    if (!text) {
        status = complain(Status::usage, config_file_sentence(text.error(), path));
        return std::nullopt;
    }
    config::ConfigReading reading = config::check_config(*text);
    if (!reading.mistakes.empty()) {
        status = complain_of(reading, path);
        return std::nullopt;
    }
    return std::move(reading.file);
}

std::vector<std::string> config_notes(const config::ConfigFile& file) {
    std::vector<std::string> notes;
    const MemoryConfig& memory = file.memory;
    if (!runs_heapwright(memory.allocator)) {
        if (!file.plan.empty()) {
            notes.emplace_back("the plan has no effect, because allocator.strategy is not \"heapwright\"");
        }
        if (!(memory.heap == HeapConfig())) {
            notes.emplace_back("[heap] has no effect, because allocator.strategy is not \"heapwright\"");
        }
        if (memory.monitor.exports_anything() || memory.fragmentation.monitor_enabled) {
            notes.emplace_back("there is no monitor, because allocator.strategy is not \"heapwright\"");
        }
    }
    if (memory.allocator.strategy == MallocStrategy::heapwright_secure && !file.plan.empty()) {
        notes.emplace_back("the plan has no effect: the hardened heap does not look at call sites");
    }
    if (memory.allocator.strategy == MallocStrategy::heapwright_secure && memory.heap.compaction != HeapCompaction::off) {
        notes.emplace_back("heap.compaction has no effect: the hardened heap shares no memory between spans");
    }
    if (memory.fragmentation.monitor_enabled && !memory.monitor.exports_anything() && !memory.fragmentation.enable_auto_defragmentation) {
        notes.emplace_back("the monitor measures for nobody: name a place in [monitor], or enable_auto_defragmentation");
    }
    return notes;
}

}  // namespace heapwright::cli
