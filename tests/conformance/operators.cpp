// Every form of operator new and delete; what happens when there is no memory.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "cases.hpp"

using namespace conformance;

namespace {

constexpr std::size_t kHuge = std::size_t{1} << 47;

int calls_of_handler = 0;

struct Refused {};

/// True when `act` ends with std::bad_alloc.
template <class Act>
bool throws_bad_alloc(Act act) {
    try {
        static_cast<void>(act());
    } catch (const std::bad_alloc&) {
        return true;
    }
    return false;
}

/// Three calls change nothing, the fourth takes itself away: then bad_alloc follows.
void counting_handler() {
    if (++calls_of_handler == 4) {
        std::set_new_handler(nullptr);
    }
}

void refusing_handler() {
    ++calls_of_handler;
    throw Refused{};
}

void bad_alloc_handler() {
    ++calls_of_handler;
    throw std::bad_alloc{};
}

template <class Act>
int handler_calls_during(std::new_handler handler, Act act) {
    calls_of_handler = 0;
    std::set_new_handler(handler);
    act();
    std::set_new_handler(nullptr);
    return calls_of_handler;
}

}  // namespace

CASE("operator new gives blocks of every size, zero among them, and delete takes them") {
    for (const std::size_t size : kSizes) {
        note("size", size);
        void* plain = ::operator new(size);
        void* array = ::operator new[](size);
        void* quiet = ::operator new(size, std::nothrow);
        void* quiet_array = ::operator new[](size, std::nothrow);
        void* all[] = {plain, array, quiet, quiet_array};
        for (std::size_t at = 0; at < 4; ++at) {
            EXPECT(all[at] != nullptr && is_aligned(all[at], size >= 16 ? 16 : 8));
            fill(all[at], size, at);
        }
        for (std::size_t at = 0; at < 4; ++at) {
            EXPECT(is_filled(all[at], size, at));
        }
        ::operator delete(plain);
        ::operator delete[](array, size);
        ::operator delete(quiet, std::nothrow);
        ::operator delete[](quiet_array, std::nothrow);
        ::operator delete(::operator new(size), size);
        ::operator delete[](::operator new[](size));
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    ::operator delete(nullptr, std::align_val_t{64});
}

CASE("operator new aligns as asked, every form") {
    for (std::size_t power = 1; power <= (std::size_t{1} << 20); power *= 2) {
        const std::align_val_t alignment{power};
        for (const std::size_t size : {0UL, 1UL, 40UL, 1000UL, 70000UL}) {
            note("alignment, size", power, size);
            void* all[] = {::operator new(size, alignment), ::operator new[](size, alignment),
                           ::operator new(size, alignment, std::nothrow), ::operator new[](size, alignment, std::nothrow)};
            for (std::size_t at = 0; at < 4; ++at) {
                EXPECT(all[at] != nullptr && is_aligned(all[at], power));
                fill(all[at], size, at);
            }
            for (std::size_t at = 0; at < 4; ++at) {
                EXPECT(is_filled(all[at], size, at));
            }
            ::operator delete(all[0], alignment);
            ::operator delete[](all[1], size, alignment);
            ::operator delete(all[2], alignment, std::nothrow);
            ::operator delete[](all[3], alignment, std::nothrow);
            ::operator delete(::operator new(size, alignment), size, alignment);
            ::operator delete[](::operator new[](size, alignment), alignment);
        }
    }
}

CASE("delete does not believe a wrong size") {
    for (const std::size_t size : kSizes) {
        note("size", size);
        void* block = ::operator new(size);
        ::operator delete(block, opaque<std::size_t>(size / 2 + 4000));
        void* next = ::operator new(size);
        fill(next, size, 5);
        EXPECT(is_filled(next, size, 5));
        ::operator delete(next, opaque<std::size_t>(1));
    }
}

CASE("without memory the throwing forms throw std::bad_alloc, the nothrow forms give a null pointer") {
    for (const std::size_t size : {kHuge, std::size_t{PTRDIFF_MAX}, SIZE_MAX - 4096, SIZE_MAX}) {
        note("size", size);
        const std::size_t much = opaque(size);
        EXPECT(throws_bad_alloc([=] { return ::operator new(much); }));
        EXPECT(throws_bad_alloc([=] { return ::operator new[](much); }));
        EXPECT(::operator new(much, std::nothrow) == nullptr);
        EXPECT(::operator new[](much, std::nothrow) == nullptr);
        if (size == SIZE_MAX) {
            continue;  // libstdc++ 12 itself rounds this one up to nothing where it aligns
        }
        const std::align_val_t alignment{256};
        EXPECT(throws_bad_alloc([=] { return ::operator new(much, alignment); }));
        EXPECT(throws_bad_alloc([=] { return ::operator new[](much, alignment); }));
        EXPECT(::operator new(much, alignment, std::nothrow) == nullptr);
        EXPECT(::operator new[](much, alignment, std::nothrow) == nullptr);
    }
    EXPECT(throws_bad_alloc([] { return opaque(new char[opaque(kHuge)]); }));
    EXPECT(throws_bad_alloc([] { return opaque(new std::uint64_t[opaque(SIZE_MAX / 4)]); }));
}

CASE("the new handler is called as long as there is one") {
    const std::size_t much = opaque(kHuge);
    EXPECT(handler_calls_during(counting_handler, [=] { EXPECT(throws_bad_alloc([=] { return ::operator new(much); })); }) == 4);
    EXPECT(handler_calls_during(counting_handler, [=] { EXPECT(throws_bad_alloc([=] { return ::operator new[](much); })); }) == 4);
    EXPECT(handler_calls_during(counting_handler, [=] { EXPECT(::operator new(much, std::nothrow) == nullptr); }) == 4);
    EXPECT(handler_calls_during(counting_handler, [=] { EXPECT(::operator new[](much, std::nothrow) == nullptr); }) == 4);
    const std::align_val_t alignment{64};
    EXPECT(handler_calls_during(counting_handler, [=] { EXPECT(throws_bad_alloc([=] { return ::operator new(much, alignment); })); }) == 4);
    EXPECT(handler_calls_during(counting_handler, [=] { EXPECT(::operator new(much, alignment, std::nothrow) == nullptr); }) == 4);
}

CASE("what the new handler throws reaches the throwing forms, and becomes a null pointer in the others") {
    const std::size_t much = opaque(kHuge);
    const auto calls = handler_calls_during(refusing_handler, [=] {
        bool caught = false;
        try {
            static_cast<void>(::operator new(much));
        } catch (const Refused&) {
            caught = true;
        }
        EXPECT(caught);
    });
    EXPECT(calls == 1);
    EXPECT(handler_calls_during(bad_alloc_handler, [=] { EXPECT(::operator new(much, std::nothrow) == nullptr); }) == 1);
    EXPECT(handler_calls_during(bad_alloc_handler, [=] { EXPECT(::operator new[](much, std::nothrow) == nullptr); }) == 1);
    EXPECT(handler_calls_during(bad_alloc_handler,
                                [=] { EXPECT(::operator new(much, std::align_val_t{4096}, std::nothrow) == nullptr); }) == 1);
}

CASE("objects are constructed and destroyed where they were allocated") {
    struct alignas(128) Wide {
        explicit Wide(int number) : value(number) {}
        int value;
        char rest[200] = {};
    };
    Wide* some[50];
    for (int at = 0; at < 50; ++at) {
        some[at] = new Wide(at);
        EXPECT(is_aligned(some[at], 128));
    }
    for (int at = 0; at < 50; ++at) {
        EXPECT(some[at]->value == at);
        delete some[at];
    }
    auto* many = new (std::nothrow) std::uint64_t[1000]();
    EXPECT(is_zero(many, 8000));
    delete[] many;
}
