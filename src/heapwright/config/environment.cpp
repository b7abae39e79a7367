#include <heapwright/config/environment.hpp>

#include <cstddef>
#include <span>

#include <unistd.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/file.hpp>

namespace heapwright::config {

namespace {

/// The value when `entry` is "NAME=value"; else data() is nullptr.
std::string_view value_of(std::string_view entry, std::string_view name) noexcept {
    if (!entry.starts_with(name) || entry.size() == name.size() || entry[name.size()] != '=') {
        return {};
    }
    return {entry.data() + name.size() + 1, entry.size() - name.size() - 1};
}

/// Cuts what is read piece by piece into entries that end in zero bytes. An entry longer than the room is passed over:
/// no path and no settings are that long.
class EntryReader {
public:
    [[nodiscard]] std::span<std::byte> room() noexcept { return std::as_writable_bytes(std::span(bytes_)).subspan(held_); }
    void add(std::size_t bytes) noexcept { held_ += bytes; }
    /// Goes on to the next whole entry; with `ended`, what is left counts as one. Returns false when there is none, and
    /// makes room.
    [[nodiscard]] bool next(bool ended) noexcept {
        while (true) {
            const std::string_view left = tail_of({bytes_, held_}, used_);
            const std::size_t length = left.find('\0');
            if (left.empty() || (length == std::string_view::npos && !ended)) {
                make_room(left);
                return false;
            }
            entry_ = head_of(left, length);
            used_ += entry_.size() + (length == std::string_view::npos ? 0 : 1);
            if (!skips_) {
                return true;
            }
            skips_ = false;
        }
    }
    [[nodiscard]] std::string_view entry() const noexcept { return entry_; }

private:
    void make_room(std::string_view left) noexcept {
        skips_ = skips_ || left.size() == sizeof(bytes_);
        held_ = left.size() == sizeof(bytes_) ? 0 : left.size();
        __builtin_memmove(bytes_, left.data(), held_);
        used_ = 0;
    }

    char bytes_[4096];
    std::size_t held_ = 0;
    std::size_t used_ = 0;
    bool skips_ = false;  // in the middle of an entry that is too long
    std::string_view entry_;
};

/// Calls `take` with the entries, as the kernel tells them, until it returns true. Returns whether it did.
template <class Take>
bool find_in_kernel(Take take) noexcept {
    auto file = os::File::open_read("/proc/self/environ");
    if (!file) {
        return false;  // no /proc here: the defaults serve
    }
    EntryReader reader;
    while (true) {
        const auto read = file->read_some(reader.room());
        const std::size_t got = read ? *read : 0;
        reader.add(got);
        while (reader.next(got == 0)) {
            if (take(reader.entry())) {
                return true;
            }
        }
        if (got == 0) {
            return false;
        }
    }
}

HEAPWRIGHT_NOINLINE bool append_from_kernel(std::string_view name, TextBuffer& text) noexcept {
    return find_in_kernel([&](std::string_view entry) {
        const std::string_view value = value_of(entry, name);
        if (value.data() == nullptr) {
            return false;
        }
        text.append(value);
        return true;
    });
}

/// Whether it begins with HEAPWRIGHT_CONF. Letter by letter: a string would lie on a page that a small program has no other use for.
HEAPWRIGHT_ALWAYS_INLINE bool begins_as_ours(const char* entry) noexcept {
    const auto has = [&](auto... letters) { return ((*entry++ == letters) && ...); };  // stops where the entry ends
    return has('H', 'E', 'A', 'P', 'W', 'R', 'I', 'G', 'H', 'T', '_', 'C', 'O', 'N', 'F');
}

HEAPWRIGHT_NOINLINE bool may_be_configured_says_kernel() noexcept {
    return find_in_kernel([](std::string_view entry) {
        Text<32> beginning;
        beginning.append(head_of(entry, 16));
        return begins_as_ours(beginning.c_str());
    });
}

// Not with the zeros: beside what the loader writes anyway.
__attribute__((section(".data"))) constinit char** early_entries = nullptr;

char** entries_at_hand() noexcept { return environ == nullptr ? early_entries : environ; }

}  // namespace

void set_early_environment(char** entries) noexcept { early_entries = entries; }

bool may_be_configured() noexcept {
    char** entry = entries_at_hand();
    if (entry == nullptr) {
        return may_be_configured_says_kernel();
    }
    while (*entry != nullptr && !begins_as_ours(*entry)) {
        ++entry;
    }
    return *entry != nullptr;
}

bool append_variable(std::string_view name, TextBuffer& text) noexcept {
    char** entry = entries_at_hand();
    if (entry == nullptr) {
        return append_from_kernel(name, text);
    }
    for (; *entry != nullptr; ++entry) {
        if (const std::string_view value = value_of(*entry, name); value.data() != nullptr) {
            text.append(value);
            return true;
        }
    }
    return false;
}

}  // namespace heapwright::config
