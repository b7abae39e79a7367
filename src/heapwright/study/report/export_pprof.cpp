// pprof's profile.proto, written field by field.
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <protozero/pbf_writer.hpp>

#include <heapwright/study/report/document.hpp>
#include <heapwright/study/report/exports.hpp>
#include <heapwright/study/report/gzip.hpp>

namespace heapwright::study {
namespace {

// Field numbers of github.com/google/pprof/proto/profile.proto.
enum class ProfileField : protozero::pbf_tag_type {
    sample_type = 1,
    sample = 2,
    mapping = 3,
    location = 4,
    function = 5,
    string_table = 6,
    duration_nanos = 10,
    period_type = 11,
    period = 12,
    comment = 13,
    default_sample_type = 14
};
enum class ValueTypeField : protozero::pbf_tag_type { type = 1, unit = 2 };
enum class SampleField : protozero::pbf_tag_type { location_id = 1, value = 2 };
enum class MappingField : protozero::pbf_tag_type {
    id = 1,
    memory_start = 2,
    memory_limit = 3,
    filename = 5,
    has_functions = 7,
    has_filenames = 8,
    has_line_numbers = 9,
    has_inline_frames = 10
};
enum class LocationField : protozero::pbf_tag_type { id = 1, mapping_id = 2, line = 4 };
enum class LineField : protozero::pbf_tag_type { function_id = 1, line = 2 };
enum class FunctionField : protozero::pbf_tag_type { id = 1, name = 2, system_name = 3, filename = 4 };

template <class Field>
constexpr protozero::pbf_tag_type tag(Field field) {
    return static_cast<protozero::pbf_tag_type>(field);
}

struct SampleType {
    const char* name;
    const char* unit;
};
constexpr std::array<SampleType, 7> kSampleTypes = {{{"alloc_objects", "count"},
                                                     {"alloc_space", "bytes"},
                                                     {"inuse_objects", "count"},
                                                     {"inuse_space", "bytes"},
                                                     {"leaked_space", "bytes"},
                                                     {"pinned_space", "bytes"},
                                                     {"pinned_free_space", "bytes"}}};
constexpr std::size_t kDefaultSampleType = 3;

std::array<std::uint64_t, kSampleTypes.size()> values_of(const Site& site) {
    return {site.allocations,
            site.allocated_bytes,
            site.live_at_peak.blocks,
            site.live_at_peak.requested_bytes,
            site.leaked.requested_bytes,
            site.pinned_bytes_at_peak,
            site.pinned_free_bytes_at_peak};
}

class ProfileWriter {
public:
    explicit ProfileWriter(const Findings& findings) : findings_(findings), profile_(data_) { string_of(""); }

    std::string write() {
        for (const SampleType& type : kSampleTypes) {
            write_value_type(ProfileField::sample_type, type);
        }
        for (const Site& site : findings_.sites) {
            write_sample(site);
        }
        for (const Frame& frame : findings_.frames) {
            module_of(frame);
        }
        write_mappings();
        profile_.add_int64(tag(ProfileField::duration_nanos), static_cast<std::int64_t>(findings_.totals.duration_ns));
        if (findings_.health.sample_interval_bytes != 0) {
            write_value_type(ProfileField::period_type, {"space", "bytes"});
            profile_.add_int64(tag(ProfileField::period), static_cast<std::int64_t>(findings_.health.sample_interval_bytes));
        }
        profile_.add_int64(tag(ProfileField::comment), string_of("recorded by heapwright: " + title_of(findings_)));
        profile_.add_int64(tag(ProfileField::default_sample_type), string_of(kSampleTypes[kDefaultSampleType].name));
        for (const std::string& text : strings_) {
            profile_.add_string(tag(ProfileField::string_table), text);
        }
        return std::move(data_);
    }

private:
    std::int64_t string_of(const std::string& text) {
        const auto [entry, fresh] = string_numbers_.try_emplace(text, static_cast<std::int64_t>(strings_.size()));
        if (fresh) {
            strings_.push_back(text);
        }
        return entry->second;
    }

    std::uint64_t module_of(const Frame& frame) { return modules_.try_emplace(frame.module, modules_.size() + 1).first->second; }

    void write_value_type(ProfileField field, const SampleType& type) {
        protozero::pbf_writer value_type(profile_, tag(field));
        value_type.add_int64(tag(ValueTypeField::type), string_of(type.name));
        value_type.add_int64(tag(ValueTypeField::unit), string_of(type.unit));
    }

    void write_sample(const Site& site) {
        std::vector<std::uint64_t> locations;
        std::vector<FrameId> inlined;
        for (const FrameId frame : site.frames) {  // inlined functions and the one that holds them are one location
            inlined.push_back(frame);
            if (!findings_.frames[static_cast<std::size_t>(frame)].inlined) {
                locations.push_back(location_of(inlined));
                inlined.clear();
            }
        }
        if (!inlined.empty()) {
            locations.push_back(location_of(inlined));
        }
        protozero::pbf_writer sample(profile_, tag(ProfileField::sample));
        sample.add_packed_uint64(tag(SampleField::location_id), locations.begin(), locations.end());
        const auto values = values_of(site);
        sample.add_packed_int64(tag(SampleField::value), values.begin(), values.end());
    }

    std::uint64_t location_of(const std::vector<FrameId>& frames) {
        const auto [entry, fresh] = locations_.try_emplace(frames, locations_.size() + 1);
        if (!fresh) {
            return entry->second;
        }
        std::vector<std::uint64_t> functions;
        for (const FrameId frame : frames) {
            functions.push_back(function_of(findings_.frames[static_cast<std::size_t>(frame)]));
        }
        protozero::pbf_writer location(profile_, tag(ProfileField::location));
        location.add_uint64(tag(LocationField::id), entry->second);
        location.add_uint64(tag(LocationField::mapping_id), module_of(findings_.frames[static_cast<std::size_t>(frames.back())]));
        for (std::size_t i = 0; i < frames.size(); ++i) {
            protozero::pbf_writer line(location, tag(LocationField::line));
            line.add_uint64(tag(LineField::function_id), functions[i]);
            line.add_int64(tag(LineField::line), findings_.frames[static_cast<std::size_t>(frames[i])].line);
        }
        return entry->second;
    }

    std::uint64_t function_of(const Frame& frame) {
        const auto [entry, fresh] = functions_.try_emplace(frame.function + '\n' + frame.file + '\n' + frame.module, functions_.size() + 1);
        if (fresh) {
            protozero::pbf_writer function(profile_, tag(ProfileField::function));
            function.add_uint64(tag(FunctionField::id), entry->second);
            function.add_int64(tag(FunctionField::name), string_of(frame.function));
            function.add_int64(tag(FunctionField::system_name), string_of(frame.function));
            function.add_int64(tag(FunctionField::filename), string_of(frame.file));
        }
        return entry->second;
    }

    // Modules have no addresses of their own here: everything is resolved. pprof wants the ranges to be apart.
    void write_mappings() {
        constexpr std::uint64_t kRange = std::uint64_t{1} << 32U;
        for (const auto& [name, id] : modules_) {
            protozero::pbf_writer mapping(profile_, tag(ProfileField::mapping));
            mapping.add_uint64(tag(MappingField::id), id);
            mapping.add_uint64(tag(MappingField::memory_start), id * kRange);
            mapping.add_uint64(tag(MappingField::memory_limit), id * kRange + kRange);
            mapping.add_int64(tag(MappingField::filename), string_of(name));
            mapping.add_bool(tag(MappingField::has_functions), true);
            mapping.add_bool(tag(MappingField::has_filenames), true);
            mapping.add_bool(tag(MappingField::has_line_numbers), true);
            mapping.add_bool(tag(MappingField::has_inline_frames), true);
        }
    }

    const Findings& findings_;
    std::string data_;
    protozero::pbf_writer profile_;
    std::vector<std::string> strings_;
    std::unordered_map<std::string, std::int64_t> string_numbers_;
    std::map<std::string, std::uint64_t> modules_;
    std::map<std::vector<FrameId>, std::uint64_t> locations_;
    std::unordered_map<std::string, std::uint64_t> functions_;
};

}  // namespace

std::string pprof_profile(const Findings& findings) {
    Gzip gzip;
    gzip.add(ProfileWriter(findings).write());
    return gzip.finish();
}

}  // namespace heapwright::study
