// How do I know what each kind of work holds, bound it, and give it back with one release?
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <heapwright/arena.hpp>

namespace {

heapwright::ScopeAccount requests{"requests", std::size_t{1} << 20};  // all requests together: 1 MiB

/// Answers one request; false when the account's limit does not allow it.
bool answer(std::size_t lines) {
    heapwright::Scope scope{requests, heapwright::os::kScopePages, {.first_chunk_bytes = 4096}};
    for (std::size_t line = 0; line < lines; ++line) {
        if (scope.try_create<std::string>("a line that is too long for the small buffer of a string") == nullptr) {
            return false;  // what was made so far is destroyed and given back here
        }
    }
    return true;
}

}  // namespace

int main() {
    std::vector<std::thread> workers;
    for (int worker = 0; worker < 3; ++worker) {
        workers.emplace_back([] {
            for (int request = 0; request < 50; ++request) {
                answer(100);
            }
        });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
    const bool is_refused = !answer(1'000'000);
    const heapwright::ScopeStats stats = requests.stats();
    std::printf("%s: %llu opened, peak %zu bytes, largest %zu bytes, %zu bytes held now\n", stats.name,
                static_cast<unsigned long long>(stats.opened), stats.peak_held_bytes, stats.largest_bytes, stats.held_bytes);
    return is_refused && stats.held_bytes == 0 && stats.opened == 151 ? 0 : 1;
}
