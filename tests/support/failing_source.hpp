// A source of blocks that fails when told to, and counts what it gave: memory that runs out at every step of a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>

#include <doctest/doctest.h>

#include <heapwright/base/layout.hpp>

namespace heapwright::test {

/// Gives blocks of the host's memory; its `fail_at`-th request and all after it are refused. 0: never.
///
/// Checks by itself that each block comes back once, with the layout it was given.
class FailingSource {
public:
    static constexpr std::size_t kAbsurdBytes = std::size_t{1} << 36;

    explicit FailingSource(std::size_t fail_at = 0) : fail_at_(fail_at) {}
    FailingSource(const FailingSource&) = delete;
    FailingSource& operator=(const FailingSource&) = delete;
    ~FailingSource() {
        for (const auto& [block, layout] : given_) {
            std::free(block);
        }
    }

    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        if (++requests_ >= fail_at_ && fail_at_ != 0) {
            failed_ = true;
            return nullptr;
        }
        if (layout.size > kAbsurdBytes) {
            return nullptr;  // the sanitizers' allocators end the program over such a request instead of refusing it
        }
        const std::size_t alignment = layout.alignment < alignof(void*) ? alignof(void*) : layout.alignment;
        void* block = nullptr;
        if (::posix_memalign(&block, alignment, layout.size == 0 ? 1 : layout.size) != 0) {
            return nullptr;
        }
        given_[block] = layout;
        bytes_ += layout.size;
        peak_bytes_ = bytes_ > peak_bytes_ ? bytes_ : peak_bytes_;
        return block;
    }

    void deallocate(void* block, Layout layout) noexcept {
        const auto found = given_.find(block);
        REQUIRE_MESSAGE(found != given_.end(), "a block came back that was not given, or came back twice");
        CHECK_MESSAGE(found->second == layout, "a block came back with another layout");
        bytes_ -= found->second.size;
        given_.erase(found);
        std::free(block);
    }

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::size_t requests() const { return requests_; }
    /// Blocks that have not come back.
    [[nodiscard]] std::size_t outstanding() const { return given_.size(); }
    [[nodiscard]] std::size_t outstanding_bytes() const { return bytes_; }
    [[nodiscard]] std::size_t peak_bytes() const { return peak_bytes_; }

private:
    std::size_t fail_at_;
    std::size_t requests_ = 0;
    std::size_t bytes_ = 0;
    std::size_t peak_bytes_ = 0;
    bool failed_ = false;
    std::map<void*, Layout> given_;
};

/// Runs `act(source)` with a source that fails at its 1st, 2nd, 3rd ... request until it succeeds.
///
/// `act` returns whether it finished its work. It must give everything back, finished or not.
template <class Act>
void fail_at_every_step(Act act) {
    for (std::size_t step = 1;; ++step) {
        FailingSource source{step};
        const bool finished = act(source);
        CHECK(source.outstanding() == 0);  // no leak on any path
        if (finished && !source.failed()) {
            return;
        }
        REQUIRE_MESSAGE(step < 100'000, "the act never finishes");
    }
}

}  // namespace heapwright::test
