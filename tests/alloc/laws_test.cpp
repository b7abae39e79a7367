// The laws, over every allocator of the library.
#include <tests/alloc/laws.hpp>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/alloc/subjects.hpp>
#include <tests/support/death.hpp>

namespace heapwright::laws {
namespace {

#define HEAPWRIGHT_SUBJECTS_ON_A_SOURCE                                                                                    \
    ArenaSubject, PlainArenaSubject, InlineArenaSubject, FixedArenaSubject, SharedArenaSubject, ScopeSubject, PoolSubject, \
        AlignedPoolSubject, SharedPoolSubject, MultiPoolSubject, TlsfSubject, SmallTlsfSubject
// tests/alloc/heap/limits_test.cpp lets the kernel refuse.
#define HEAPWRIGHT_SUBJECTS \
    HEAPWRIGHT_SUBJECTS_ON_A_SOURCE, HeapSubject, OwnHeapSubject, PoolPlaceSubject, BumpPlaceSubject, HeapPlaceSubject

TEST_CASE_TEMPLATE("blocks are aligned, apart and whole, and all bytes come home", Subject, HEAPWRIGHT_SUBJECTS) {
    blocks_are_sound_and_bytes_come_home<Subject>();
}

TEST_CASE_TEMPLATE("a block of no bytes has an address of its own", Subject, HEAPWRIGHT_SUBJECTS) { nothing_has_an_address<Subject>(); }

TEST_CASE_TEMPLATE("absurd sizes are refused", Subject, HEAPWRIGHT_SUBJECTS) { absurd_sizes_are_refused<Subject>(); }

TEST_CASE_TEMPLATE("a refusal changes nothing", Subject, HEAPWRIGHT_SUBJECTS_ON_A_SOURCE) { refusal_changes_nothing<Subject>(); }

TEST_CASE_TEMPLATE("random steps agree with the ledger", Subject, HEAPWRIGHT_SUBJECTS) { random_steps_agree_with_the_ledger<Subject>(); }

TEST_CASE_TEMPLATE("memory may run out anywhere", Subject, HEAPWRIGHT_SUBJECTS_ON_A_SOURCE) { memory_may_run_out_anywhere<Subject>(); }

TEST_CASE_TEMPLATE("steady use takes no more memory", Subject, HEAPWRIGHT_SUBJECTS) {
    if constexpr (Subject::kReclaims) {
        steady_use_takes_no_more_memory<Subject>();
    }
}

TEST_CASE_TEMPLATE("a second free is refused with the right sentence", Subject, HEAPWRIGHT_SUBJECTS) {
    if constexpr (Subject::kRefusesDoubleFree) {
        os::report_failures_to_stderr();
        const auto death = test::death_of([] {
            Subject subject{os::kPages};
            void* const block = subject.try_allocate(Subject::kLargest);
            subject.deallocate(block, Subject::kLargest);
            subject.deallocate(block, Subject::kLargest);
        });
        CHECK(test::said(death, "heapwright: double free: block 0x"));
    }
}

TEST_CASE_TEMPLATE("any allocator may stand on any other", Subject, HEAPWRIGHT_SUBJECTS) {
    test::FailingSource source;
    {
        Subject below{source};
        // A pool of small blocks gives chunks of no use; the arena above must then refuse, and nothing else.
        Arena above{below, {.first_chunk_bytes = 256, .largest_chunk_bytes = 512}};
        for (int count = 0; count < 100; ++count) {
            void* const block = above.try_allocate({.size = 24, .alignment = 8});
            CHECK((block != nullptr) == (Subject::kLargest.size >= 256 || (block != nullptr && Subject::kLargest.size >= 128)));
        }
        CHECK(above.broken_invariant() == nullptr);
    }
    CHECK(source.outstanding() == 0);
}

}  // namespace
}  // namespace heapwright::laws
