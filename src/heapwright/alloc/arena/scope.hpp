// A scope: an arena, its account, its limit, and one release. What was allocated for a purpose is what the purpose holds.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {

struct ScopeStats {
    const char* name;
    std::uint64_t opened;         // scopes ever opened
    std::uint64_t open;           // of these, not yet closed
    std::size_t held_bytes;       // chunks that open scopes hold, as the source sees them
    std::size_t peak_held_bytes;  // the most at one time
    std::size_t largest_bytes;    // the most that one closed scope used
    std::uint64_t refusals;       // chunks that the account's limit or the source refused
};

/// What all scopes of one purpose hold together: one account for "parse", one for "request", however many threads.
///
/// Each chunk belongs to one scope and each scope to one account, so the account's bytes are memory and not an estimate:
/// closing the scopes gives back exactly these.
/// Thread safety: any thread.
class ScopeAccount {
public:
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    /// `name` is a literal. `limit_bytes` bounds all scopes of the account together.
    constexpr explicit ScopeAccount(const char* name, std::size_t limit_bytes = kUnlimited) noexcept
        : name_(name), limit_bytes_(limit_bytes) {}
    ScopeAccount(const ScopeAccount&) = delete;
    ScopeAccount& operator=(const ScopeAccount&) = delete;

    [[nodiscard]] ScopeStats stats() const noexcept {
        // Relaxed, here and below: each figure is right by itself; no memory is read through them.
        constexpr auto kRelaxed = std::memory_order_relaxed;
        return {.name = name_,
                .opened = opened_.load(kRelaxed),
                .open = open_.load(kRelaxed),
                .held_bytes = held_bytes_.load(kRelaxed),
                .peak_held_bytes = peak_held_bytes_.load(kRelaxed),
                .largest_bytes = largest_bytes_.load(kRelaxed),
                .refusals = refusals_.load(kRelaxed)};
    }

private:
    friend class Scope;

    /// Returns:  false when the limit would be passed; nothing is charged then.
    [[nodiscard]] bool charge(std::size_t bytes) noexcept {
        const std::size_t held = held_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
        if (held > limit_bytes_ || held < bytes) {
            held_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
            refusals_.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
        raise(peak_held_bytes_, held);
        return true;
    }
    void refund(std::size_t bytes) noexcept { held_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

    static void raise(std::atomic<std::size_t>& peak, std::size_t value) noexcept {
        std::size_t seen = peak.load(std::memory_order_relaxed);
        while (seen < value && !peak.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {}
    }

    const char* name_;
    std::size_t limit_bytes_;
    std::atomic<std::uint64_t> opened_{0};
    std::atomic<std::uint64_t> open_{0};
    std::atomic<std::size_t> held_bytes_{0};
    std::atomic<std::size_t> peak_held_bytes_{0};
    std::atomic<std::size_t> largest_bytes_{0};
    std::atomic<std::uint64_t> refusals_{0};
};

/// Memory for one piece of work: everything made in it ends with it, and is on its account while it lasts.
///
/// Over os::kScopePages, a use after the end is a fault in debug builds, also without a sanitizer.
/// Example:  `ScopeAccount parsing{"parse"}; ... Scope scope{parsing, os::kScopePages}; parse(scope.arena());`
/// Thread safety: one thread at a time for a scope; any number of scopes for an account.
class Scope {
public:
    explicit Scope(ScopeAccount& account, SourceRef source, ArenaOptions options = {}) noexcept
        : charged_(account, source), arena_(charged_, options) {
        account.opened_.fetch_add(1, std::memory_order_relaxed);
        account.open_.fetch_add(1, std::memory_order_relaxed);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() {
        ScopeAccount& account = charged_.account;
        ScopeAccount::raise(account.largest_bytes_, arena_.stats().peak_used_bytes);
        arena_.release();
        account.open_.fetch_sub(1, std::memory_order_relaxed);
    }

    [[nodiscard]] Arena& arena() noexcept { return arena_; }
    [[nodiscard]] const Arena& arena() const noexcept { return arena_; }

    template <class T, class... Args>
    [[nodiscard]] T* try_create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        return arena_.try_create<T>(std::forward<Args>(args)...);
    }
    template <class T, class... Args>
    T& create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        return arena_.create<T>(std::forward<Args>(args)...);
    }
    [[nodiscard]] void* try_allocate(Layout layout) noexcept { return arena_.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { arena_.deallocate(block, layout); }

private:
    /// Stands between the arena and its source and puts every chunk on the account.
    struct Charged {
        Charged(ScopeAccount& scope_account, SourceRef source) noexcept : account(scope_account), below(source) {}

        [[nodiscard]] void* try_allocate(Layout layout) noexcept {
            if (!account.charge(layout.size)) {
                return nullptr;
            }
            void* const chunk = below.try_allocate(layout);
            if (chunk == nullptr) {
                account.refund(layout.size);
                account.refusals_.fetch_add(1, std::memory_order_relaxed);
            }
            return chunk;
        }
        void deallocate(void* chunk, Layout layout) noexcept {
            below.deallocate(chunk, layout);
            account.refund(layout.size);
        }

        ScopeAccount& account;
        SourceRef below;
    };

    Charged charged_;
    Arena arena_;
};

static_assert(BlockSource<Scope>);

}  // namespace heapwright
