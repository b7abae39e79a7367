// From counters of damage to a sentence.
#include <heapwright/study/analysis/health.hpp>

#include <string>

namespace heapwright::study {
namespace {

void add_fact(std::string& note, const std::string& fact) {
    note += note.empty() ? "" : "; ";
    note += fact;
}

std::string counted(std::uint64_t number, const char* one, const char* many) {
    return std::to_string(number) + " " + (number == 1 ? one : many);
}

}  // namespace

TraceHealth judge_health(const trace::Reader& reader, const Facts& facts, const Played& played, const Totals& totals) {
    const trace::Health& file = reader.health();
    TraceHealth health;
    health.file_bytes = file.file_bytes;
    health.used_bytes = file.used_bytes;
    health.complete = file.has_end && !file.damaged();
    health.dropped_events = facts.number("dropped_events") + file.lost_events;
    health.sample_interval_bytes = facts.scale.interval_bytes();

    std::string& note = health.note;
    if (file.tail_bytes != 0) {
        add_fact(note, "the file is whole up to byte " + std::to_string(file.file_bytes - file.tail_bytes) + ", and " +
                           counted(file.tail_bytes, "byte", "bytes") + " behind it were not used");
    }
    if (file.damaged_chunks != 0) {
        add_fact(note, counted(file.damaged_chunks, "damaged chunk", "damaged chunks") + " with " +
                           counted(file.lost_events, "event", "events") + " left out, the first at byte " +
                           std::to_string(file.damaged_at));
    }
    if (!file.has_end && file.tail_bytes == 0) {
        add_fact(note, "the recording has no end: the program was killed, or still runs");
    }
    if (file.skipped_chunks != 0) {
        add_fact(note, counted(file.skipped_chunks, "chunk", "chunks") + " of a newer version skipped");
    }
    if (facts.number("dropped_events") != 0) {
        add_fact(note, "the recorder lost " + counted(facts.number("dropped_events"), "event", "events"));
    }
    if (played.late_events != 0) {
        add_fact(note, counted(played.late_events, "event", "events") + " out of order");
    }
    if (totals.overlaps != 0) {
        add_fact(note, counted(totals.overlaps, "block", "blocks") + " handed out on top of a live one");
    }
    if (facts.scale.is_sampled()) {
        add_fact(note, "amounts are scaled back from samples every " + std::to_string(facts.scale.interval_bytes()) +
                           " bytes, and figures of OS pages count the sampled blocks only");
    }
    return health;
}

}  // namespace heapwright::study
