// The two readers of memory.toml: whatever both take means the same, what is printed reads back, and nothing crashes either.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <heapwright/config/file/config_file.hpp>
#include <heapwright/config/reader.hpp>

namespace {

using namespace heapwright;

void require(bool holds, const char* what) {
    if (!holds) {
        __builtin_printf("%s\n", what);
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    config::ConfigFile inside;
    Text<1024> mistake;
    auto keep = [&inside](const PlannedSite& site) noexcept { inside.plan.push_back(site); };
    const bool is_read = config::read_memory_config(text, "m", inside.memory, keep, mistake);
    require(is_read == mistake.view().empty(), "a refusal without a sentence, or a sentence without a refusal");
    require(is_read || inside.memory == MemoryConfig(), "a file with a mistake changed the defaults");

    const config::ConfigReading reading = config::read_config(text);
    const bool is_sound = reading.mistakes.empty();
    require(!(is_read && is_sound) || inside == reading.file, "the two readers differ");
    if (is_sound) {
        const std::string printed = config::print_config(reading.file);
        const config::ConfigReading again = config::check_config(printed);
        require(again.mistakes.empty() && again.file == reading.file, "what is printed does not read back");
        static_cast<void>(config::explain_config(reading.file));
    }
    return 0;
}
