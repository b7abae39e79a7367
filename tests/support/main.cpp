// The main function of every test program: doctest, the seed on the first line, failures told on stderr.
#define DOCTEST_CONFIG_IMPLEMENT  // NOLINT(readability-identifier-naming): doctest's name
#include <cstdio>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>

#include <tests/support/random.hpp>

int main(int argc, char** argv) {
    heapwright::os::report_failures_to_stderr();
    std::printf("HEAPWRIGHT_SEED=%llu\n", static_cast<unsigned long long>(heapwright::test::seed()));
    doctest::Context context(argc, argv);
    return context.run();
}
