// What the kernel says of this process: plausible, and equal to what other sources say.
#include <heapwright/os/process.hpp>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/os/pages.hpp>

namespace heapwright::os {

TEST_CASE("resident memory grows by what is touched") {
    constexpr std::size_t kBytes = std::size_t{32} << 20;
    const ResidentMemory before = resident_memory().value();
    auto* pages = static_cast<char*>(map_pages(kBytes, nullptr));
    REQUIRE(pages != nullptr);
    std::memset(pages, 1, kBytes);
    const ResidentMemory after = resident_memory().value();
    // The kernel's counters lag by some pages per thread.
    CHECK(after.resident_bytes >= before.resident_bytes + kBytes * 9 / 10);
    CHECK(after.virtual_bytes >= before.virtual_bytes + kBytes);
    CHECK(after.shared_bytes <= after.resident_bytes);
    CHECK(resource_use().peak_resident_bytes >= after.resident_bytes * 9 / 10);
    release(pages, kBytes);
}

TEST_CASE("touching fresh pages counts as faults") {
    const ResourceUse before = resource_use();
    constexpr std::size_t kBytes = 64 * kPageBytes;
    auto* pages = static_cast<volatile char*>(map_pages(kBytes, nullptr));
    for (std::size_t offset = 0; offset < kBytes; offset += kPageBytes) {
        pages[offset] = 1;
    }
    CHECK(resource_use().minor_faults > before.minor_faults);
    release(const_cast<char*>(pages), kBytes);
}

TEST_CASE("the kernel's release is uname's") {
    utsname names{};
    REQUIRE(::uname(&names) == 0);
    Text<128> text;
    append_kernel_release(text);
    CHECK(text.view() == std::string_view(names.release));
}

TEST_CASE("the program's path and words are its own") {
    Text<4096> path;
    REQUIRE(append_program_path(path).has_value());
    CHECK(path.view().ends_with("heapwright_os_test"));

    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    std::string expected{std::istreambuf_iterator<char>(file), {}};
    expected.pop_back();
    for (char& letter : expected) {
        letter = letter == '\0' ? '|' : letter;
    }
    Text<16384> words;
    REQUIRE(append_command_line(words, '|').has_value());
    CHECK(words.view() == expected);
}

TEST_CASE("the processor has a name") {
    Text<128> text;
    append_cpu_model(text);
    CHECK_FALSE(text.view().empty());
    CHECK(text.view().find('\n') == std::string_view::npos);
}

TEST_CASE("the mode of huge pages is the bracketed word of the kernel's file") {
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::string bracketed = std::string("[") + name_of(huge_page_mode()) + "]";
    CHECK((text.empty() ? huge_page_mode() == HugePageMode::unknown : text.find(bracketed) != std::string::npos));
}

TEST_CASE("usable cores are those of the affinity mask") {
    cpu_set_t set;
    REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
    CHECK(usable_cores() == static_cast<std::uint32_t>(CPU_COUNT(&set)));
}

TEST_CASE("limits of the control group are positive where there are any") {
    const GroupLimits limits = group_limits();
    CHECK(limits.memory_bytes > 0);
    CHECK(limits.cpu_millicores > 0);
    const std::uint64_t memory = machine_memory_bytes();
    CHECK(memory == static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * kPageBytes);
}

TEST_CASE("the tests run with ordinary rights") { CHECK_FALSE(runs_with_raised_rights()); }

}  // namespace heapwright::os
