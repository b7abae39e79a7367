// One table of figures, four ways to write it.
#include <heapwright/alloc/heap/statistics_text.hpp>

#include <string_view>

namespace heapwright {

namespace {

enum class Kind : std::uint8_t { bytes, count, bytes_so_far };

struct Figure {
    std::string_view name;  // without the unit
    Kind kind;
    std::uint64_t HeapStatistics::* value;  // nullptr: resident
    std::string_view meaning;
};

constexpr Figure kFigures[] = {
    {.name = "allocated", .kind = Kind::bytes, .value = &HeapStatistics::allocated_bytes, .meaning = "in blocks that the program holds"},
    {.name = "active", .kind = Kind::bytes, .value = &HeapStatistics::active_bytes, .meaning = "in spans with at least one such block"},
    {.name = "absent", .kind = Kind::bytes, .value = &HeapStatistics::absent_bytes, .meaning = "of those, free pages without memory"},
    {.name = "resident",
     .kind = Kind::bytes,
     .value = nullptr,
     .meaning = "in memory at most: active but absent and shared, dirty, metadata"},
    {.name = "dirty", .kind = Kind::bytes, .value = &HeapStatistics::dirty_bytes, .meaning = "free and still in memory"},
    {.name = "retained", .kind = Kind::bytes, .value = &HeapStatistics::retained_bytes, .meaning = "free addresses without memory"},
    {.name = "metadata", .kind = Kind::bytes, .value = &HeapStatistics::metadata_bytes, .meaning = "of the heap itself"},
    {.name = "committed", .kind = Kind::bytes, .value = &HeapStatistics::committed_bytes, .meaning = "readable and writable"},
    {.name = "reserved", .kind = Kind::bytes, .value = &HeapStatistics::reserved_bytes, .meaning = "addresses set aside"},
    {.name = "peak_active", .kind = Kind::bytes, .value = &HeapStatistics::peak_active_bytes, .meaning = "the highest active so far"},
    {.name = "large", .kind = Kind::bytes, .value = &HeapStatistics::large_bytes, .meaning = "in blocks that have a span of their own"},
    {.name = "large_blocks", .kind = Kind::count, .value = &HeapStatistics::large_blocks, .meaning = "that have a span of their own"},
    {.name = "small_blocks", .kind = Kind::count, .value = &HeapStatistics::small_blocks, .meaning = "that share a span"},
    {.name = "spans", .kind = Kind::count, .value = &HeapStatistics::spans, .meaning = "in use"},
    {.name = "threads", .kind = Kind::count, .value = &HeapStatistics::threads, .meaning = "that have a cache of this heap"},
    {.name = "given_back",
     .kind = Kind::bytes_so_far,
     .value = &HeapStatistics::given_back_bytes,
     .meaning = "to the operating system so far"},
    {.name = "meshed", .kind = Kind::count, .value = &HeapStatistics::meshed_spans, .meaning = "spans that share memory with others"},
    {.name = "shared", .kind = Kind::bytes, .value = &HeapStatistics::shared_bytes, .meaning = "memory that those do without"},
    {.name = "unmet",
     .kind = Kind::bytes,
     .value = &HeapStatistics::unmet_bytes,
     .meaning = "could be shared as well with a higher vm.max_map_count"},
    {.name = "wanted_map_count",
     .kind = Kind::count,
     .value = &HeapStatistics::wanted_map_count,
     .meaning = "the vm.max_map_count that would do for that; 0: the present one does"},
};

std::uint64_t value_of(const Figure& figure, const HeapStatistics& statistics) noexcept {
    return figure.value == nullptr ? resident_bytes(statistics) : statistics.*figure.value;
}

std::string_view unit_of(const Figure& figure) noexcept { return figure.kind == Kind::count ? "" : "_bytes"; }

std::uint64_t difference(std::uint64_t whole, std::uint64_t part) noexcept { return whole > part ? whole - part : 0; }

/// `<name type="..." count="..." size="..."/>`, as malloc_info has them.
void append_element(TextBuffer& text, std::string_view name, std::string_view type, const std::uint64_t* count,
                    std::uint64_t size) noexcept {
    text.append("<").append(name).append(" type=\"").append(type).append("\"");
    if (count != nullptr) {
        text.append(" count=\"").append_decimal(*count).append("\"");
    }
    text.append(" size=\"").append_decimal(size).append("\"/>\n");
}

/// The lines that malloc_info has both for a heap and for all heaps.
void append_system_elements(TextBuffer& text, const HeapStatistics& statistics) noexcept {
    append_element(text, "system", "current", nullptr, statistics.active_bytes + statistics.dirty_bytes);
    append_element(text, "system", "max", nullptr, statistics.peak_active_bytes);
    append_element(text, "aspace", "total", nullptr, statistics.reserved_bytes);
    append_element(text, "aspace", "mprotect", nullptr, statistics.committed_bytes);
}

}  // namespace

std::uint64_t resident_bytes(const HeapStatistics& statistics) noexcept {
    return difference(statistics.active_bytes, statistics.absent_bytes + statistics.shared_bytes) + statistics.dirty_bytes +
           statistics.metadata_bytes;
}

void append_statistics_text(TextBuffer& text, const HeapStatistics& statistics) noexcept {
    constexpr std::size_t kNameColumn = 14;
    constexpr std::size_t kValueColumn = 32;
    for (const Figure& figure : kFigures) {
        const std::size_t begin = text.view().size();
        const auto pad_to = [&text, begin](std::size_t column) {
            do {
                text.append_char(' ');
            } while (!text.truncated() && text.view().size() - begin < column);
        };
        text.append(figure.name);
        pad_to(kNameColumn);
        if (figure.kind == Kind::count) {
            text.append_decimal(value_of(figure, statistics));
        } else {
            text.append_bytes_exact(value_of(figure, statistics));
        }
        pad_to(kNameColumn + kValueColumn);
        text.append(figure.meaning).append_char('\n');
    }
    if (statistics.unmet_bytes != 0) {
        append_unmet(text, statistics.unmet_bytes, statistics.wanted_map_count);
        text.append_char('\n');
    }
}

void append_unmet(TextBuffer& text, std::uint64_t bytes, std::uint64_t map_count) noexcept {
    text.append_decimal((bytes + (std::uint64_t{1} << 20) - 1) >> 20).append(" MiB more recoverable with vm.max_map_count = ");
    text.append_decimal(map_count);
}

void append_statistics_json(TextBuffer& text, const HeapStatistics& statistics) noexcept {
    std::string_view before = "{\"";
    for (const Figure& figure : kFigures) {
        text.append(before).append(figure.name).append(unit_of(figure)).append("\":").append_decimal(value_of(figure, statistics));
        before = ",\"";
    }
    text.append("}\n");
}

void append_statistics_openmetrics(TextBuffer& text, const HeapStatistics& statistics) noexcept {
    constexpr std::string_view kPrefix = "heapwright_";
    for (const Figure& figure : kFigures) {
        const bool counts_up = figure.kind == Kind::bytes_so_far;
        const auto append_name = [&] { text.append(kPrefix).append(figure.name).append(unit_of(figure)); };
        text.append("# TYPE ");
        append_name();
        text.append(counts_up ? " counter\n" : " gauge\n");
        if (figure.kind != Kind::count) {
            text.append("# UNIT ");
            append_name();
            text.append(" bytes\n");
        }
        text.append("# HELP ");
        append_name();
        text.append(" ").append(figure.kind == Kind::count ? "Number " : "Bytes ").append(figure.meaning).append(".\n");
        append_name();
        text.append(counts_up ? "_total " : " ").append_decimal(value_of(figure, statistics)).append_char('\n');
    }
    text.append("# EOF\n");
}

void append_statistics_xml(TextBuffer& text, const HeapStatistics& statistics) noexcept {
    const std::uint64_t free_bytes = difference(statistics.active_bytes + statistics.dirty_bytes, statistics.allocated_bytes);
    const std::uint64_t none = 0;
    text.append("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n");
    append_element(text, "total", "fast", &none, 0);
    append_element(text, "total", "rest", &statistics.spans, free_bytes);
    append_system_elements(text, statistics);
    text.append("</heap>\n");
    append_element(text, "total", "fast", &none, 0);
    append_element(text, "total", "rest", &statistics.spans, free_bytes);
    append_element(text, "total", "mmap", &statistics.large_blocks, statistics.large_bytes);
    append_system_elements(text, statistics);
    text.append("<heapwright");
    for (const Figure& figure : kFigures) {
        text.append(" ").append(figure.name).append(unit_of(figure)).append("=\"");
        text.append_decimal(value_of(figure, statistics)).append("\"");
    }
    text.append("/>\n</malloc>\n");
}

}  // namespace heapwright
