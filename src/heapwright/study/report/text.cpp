#include <heapwright/study/report/text.hpp>

#include <heapwright/study/report/detail/text_sections.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::study {
namespace {

using Writer = std::string (*)(const Findings&, const TextOptions&);

struct KnownSection {
    std::string_view name;
    Writer write;
};

// In the order of the enumerators.
constexpr std::array<KnownSection, kSections.size()> kKnown = {{{"summary", detail::summary_section},
                                                                {"sites", detail::sites_section},
                                                                {"leaks", detail::leaks_section},
                                                                {"temporary", detail::temporary_section},
                                                                {"pinned", detail::pinned_section},
                                                                {"reallocs", detail::reallocs_section},
                                                                {"aligned", detail::aligned_section},
                                                                {"cross-thread", detail::cross_thread_section},
                                                                {"local", detail::local_section},
                                                                {"sizes", detail::sizes_section},
                                                                {"threads", detail::threads_section},
                                                                {"lifetimes", detail::lifetimes_section},
                                                                {"fragmentation", detail::fragmentation_section},
                                                                {"timeline", detail::timeline_section},
                                                                {"health", detail::health_section}}};

}  // namespace

std::string_view name_of(Section section) { return kKnown[static_cast<std::size_t>(section)].name; }

std::optional<Section> section_of(std::string_view name) {
    for (const Section section : kSections) {
        if (name_of(section) == name) {
            return section;
        }
    }
    return std::nullopt;
}

std::string text_report(const Findings& findings, const TextOptions& options) {
    std::string text;
    for (const Section section : options.sections) {
        text += (text.empty() ? "" : "\n") + kKnown[static_cast<std::size_t>(section)].write(findings, options);
    }
    return text;
}

namespace detail {

std::string heading(const TextOptions& options, std::string_view title, std::string_view remark) {
    std::string line = inked(options.terminal, Ink::strong, title);
    if (!remark.empty()) {
        line += "  " + inked(options.terminal, Ink::faint, remark);
    }
    return line + '\n';
}

std::string bullet(const TextOptions& options, std::string_view sentence) {
    constexpr std::size_t kIndent = 4;
    return std::string("  ") + (options.terminal.unicode ? "• " : "- ") +
           wrapped(harmless(sentence), options.terminal.width - kIndent, kIndent) + '\n';
}

std::string power_of_two_ns(std::size_t bucket) { return duration_text(std::uint64_t{1} << bucket); }

}  // namespace detail
}  // namespace heapwright::study
