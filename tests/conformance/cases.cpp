// Runs the cases: all, or those whose sentences contain a word of the command line, but none with a word that follows a
// minus. Exit status 1 when one failed.
#include "cases.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include <dlfcn.h>

namespace conformance {

namespace {

Case* first_case = nullptr;
int failures = 0;
int missing = 0;
const char* noted = nullptr;
std::uint64_t noted_number = 0;
std::uint64_t noted_other = 0;

constexpr int kFailuresShown = 8;  // of one case

bool is_wanted(const Case& one, int words, char** word) {
    bool is_any_wanted = true;
    bool is_named = false;
    for (int at = 0; at < words; ++at) {
        if (word[at][0] == '-') {
            if (std::strstr(one.name, word[at] + 1) != nullptr) {
                return false;
            }
        } else {
            is_any_wanted = false;
            is_named = is_named || std::strstr(one.name, word[at]) != nullptr;
        }
    }
    return is_any_wanted || is_named;
}

std::uint64_t seed() {
    static const std::uint64_t value = [] {
        const char* text = std::getenv("HEAPWRIGHT_SEED");
        const std::uint64_t chosen = text == nullptr ? 20260101 : std::strtoull(text, nullptr, 0);
        std::printf("HEAPWRIGHT_SEED=%" PRIu64 "\n", chosen);
        return chosen;
    }();
    return value;
}

unsigned char pattern(std::uint64_t seed_of_block, std::size_t at) {
    return static_cast<unsigned char>((seed_of_block + at / 8) * 0x9E3779B97F4A7C15U >> (56 - at % 8));
}

}  // namespace

Case::Case(const char* case_name, void (*case_body)()) : name(case_name), body(case_body) {
    Case** end = &first_case;
    while (*end != nullptr) {
        end = &(*end)->next;
    }
    *end = this;
}

void fail(const char* expression, const char* file, int line) {
    if (++failures > kFailuresShown) {
        return;
    }
    const char* slash = std::strrchr(file, '/');
    std::printf("  %s:%d: %s is not so", slash == nullptr ? file : slash + 1, line, expression);
    if (noted != nullptr) {
        std::printf(" (%s %" PRIu64 ", %" PRIu64 ")", noted, noted_number, noted_other);
    }
    std::printf("\n");
}

void note(const char* what, std::uint64_t number, std::uint64_t other) {
    noted = what;
    noted_number = number;
    noted_other = other;
}

void* find_or_say(const char* function) {
    void* found = dlsym(RTLD_DEFAULT, function);
    if (found == nullptr) {
        std::printf("  not there: %s\n", function);
        ++missing;
    }
    return found;
}

void fill(void* block, std::size_t bytes, std::uint64_t seed_of_block) {
    for (std::size_t at = 0; at < bytes; ++at) {
        static_cast<unsigned char*>(block)[at] = pattern(seed_of_block, at);
    }
}

bool is_filled(const void* block, std::size_t bytes, std::uint64_t seed_of_block) {
    for (std::size_t at = 0; at < bytes; ++at) {
        if (static_cast<const unsigned char*>(block)[at] != pattern(seed_of_block, at)) {
            return false;
        }
    }
    return true;
}

bool is_zero(const void* block, std::size_t bytes) {
    const auto* byte = static_cast<const unsigned char*>(block);
    return bytes == 0 || (byte[0] == 0 && std::memcmp(byte, byte + 1, bytes - 1) == 0);
}

Random::Random() : state_(seed()) {}

std::uint64_t Random::next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
}

std::size_t Random::size(std::size_t most) {
    const std::size_t top = most >> below(20);
    return top == 0 ? 0 : below(top + 1);
}

}  // namespace conformance

int main(int words, char** word) {
    using namespace conformance;
    static char room[1 << 16];  // so that stdio does not allocate between two looks at the heap
    std::setvbuf(stdout, room, _IOLBF, sizeof(room));
    int failed_cases = 0;
    int cases = 0;
    for (const Case* one = first_case; one != nullptr; one = one->next) {
        if (!is_wanted(*one, words - 1, word + 1)) {
            continue;
        }
        failures = 0;
        noted = nullptr;
        one->body();
        ++cases;
        failed_cases += failures == 0 ? 0 : 1;
        std::printf("%s %s\n", failures == 0 ? "ok    " : "FAILED", one->name);
    }
    std::printf("%d cases, %d failed, %d functions not there\n", cases, failed_cases, missing);
    return failed_cases == 0 && cases != 0 ? 0 : 1;
}
