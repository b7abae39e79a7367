// Moments of a process that a malloc must live through: shared by the sources of malloc_moments.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moments {

/// One moment, asked for by name on the command line. Returns the process's exit status.
struct Moment {
    const char* name;
    int (*run)(int words, char** word);
};

int complain(const char* sentence, std::uint64_t number = 0);

/// Allocates and releases blocks of many sizes, contents checked. Returns false when a block did not keep its bytes.
bool work(std::uint32_t seed, int rounds);

/// The high-water mark of resident memory, and resident memory now.
std::size_t peak_resident_kib();
std::size_t resident_kib();

int fork_while_threads_allocate(int words, char** word);
int fork_handlers_that_allocate(int words, char** word);
int short_threads(int words, char** word);
int late_release(int words, char** word);
int threads_after_each_other(int words, char** word);
int producers_and_consumers(int words, char** word);
int load_and_unload(int words, char** word);
int before_main(int words, char** word);
int exit_handlers(int words, char** word);
int out_of_addresses(int words, char** word);
int out_of_memory_at_every_step(int words, char** word);
int give_back_by_the_clock(int words, char** word);
int wrong_pointer(int words, char** word);

}  // namespace moments
