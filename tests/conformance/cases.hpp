// A small frame for programs that check a malloc: no library of its own, because that would allocate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>

namespace conformance {

/// One thing to be true of the malloc family. Registers itself.
struct Case {
    Case(const char* case_name, void (*case_body)());
    const char* name;
    void (*body)();
    Case* next = nullptr;
};

/// A failed expectation: the case goes on, so that one run shows all.
void fail(const char* expression, const char* file, int line);

/// Says with a failure what a loop was about when it happened. Numbers only.
void note(const char* what, std::uint64_t number, std::uint64_t other = 0);

/// A function of the C library that this one may not have. Its absence is printed, so that it cannot go unseen.
void* find_or_say(const char* function);

/// Fills a block with bytes that depend on `seed` and their place; tells whether they are still there.
void fill(void* block, std::size_t bytes, std::uint64_t seed);
bool is_filled(const void* block, std::size_t bytes, std::uint64_t seed);

bool is_zero(const void* block, std::size_t bytes);
inline bool is_aligned(const void* block, std::size_t alignment) { return reinterpret_cast<std::uintptr_t>(block) % alignment == 0; }

/// A random sequence, from HEAPWRIGHT_SEED or the fixed seed that is printed.
class Random {
public:
    Random();
    std::uint64_t next();
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    /// A size up to `most`, small ones as likely as large ones.
    std::size_t size(std::size_t most);

private:
    std::uint64_t state_;
};

/// A value the compiler cannot see through.
template <class T>
T opaque(T value) {
    volatile T hidden = value;
    return hidden;
}

/// Sizes on both sides of every border that an allocator may have.
inline constexpr std::size_t kSizes[] = {
    0,     1,     7,     8,     9,      15,     16,     17,     24,     31,      32,      33,      48,      63,      64,    65,    96,
    127,   128,   129,   200,   255,    256,    257,    400,    511,    513,     777,     1000,    1023,    1024,    1025,  1500,  2047,
    2048,  2049,  4000,  4095,  4096,   4097,   6000,   8191,   8193,   12000,   16384,   16385,   20000,   32767,   32769, 50000, 65535,
    65536, 65537, 70000, 99999, 131071, 131073, 200000, 262144, 524289, 1048576, 1048577, 3000000, 5000000, 20000001};

}  // namespace conformance

#define CONFORMANCE_JOIN_(a, b) a##b
#define CONFORMANCE_JOIN(a, b) CONFORMANCE_JOIN_(a, b)
#define CASE(sentence)                                                                                                        \
    static void CONFORMANCE_JOIN(case_body_, __LINE__)();                                                                     \
    static const conformance::Case CONFORMANCE_JOIN(case_entry_, __LINE__)(sentence, CONFORMANCE_JOIN(case_body_, __LINE__)); \
    static void CONFORMANCE_JOIN(case_body_, __LINE__)()

#define EXPECT(condition)                                        \
    do {                                                         \
        if (!(condition)) {                                      \
            ::conformance::fail(#condition, __FILE__, __LINE__); \
        }                                                        \
    } while (false)
