#include <heapwright/study/advice/suggestion.hpp>

namespace heapwright::study {

const char* name_of(Gain gain) {
    switch (gain) {
        case Gain::peak: return "peak RSS";
        case Gain::mean: return "mean RSS";
        case Gain::retained: return "RSS retained after the work";
        case Gain::time: return "CPU time";
    }
    return "";
}

const char* name_of(Experiment::Kind kind) {
    switch (kind) {
        case Experiment::Kind::none: return "none";
        case Experiment::Kind::allocator: return "allocator";
        case Experiment::Kind::setting: return "setting";
        case Experiment::Kind::arena_at_site: return "arena at site";
        case Experiment::Kind::pool_at_site: return "pool at site";
        case Experiment::Kind::reserve_at_site: return "reserve at site";
        case Experiment::Kind::stack_at_site: return "stack at site";
        case Experiment::Kind::resize_at_site: return "other size at site";
        case Experiment::Kind::remove_at_site: return "without the site";
        case Experiment::Kind::trim: return "give back";
        case Experiment::Kind::plan: return "placement plan";
    }
    return "";
}

const char* name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::not_tried: return "not tried";
        case Verdict::proved: return "proved";
        case Verdict::refuted: return "refuted";
    }
    return "";
}

}  // namespace heapwright::study
