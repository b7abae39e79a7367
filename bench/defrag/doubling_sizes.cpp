// Robson's adversary, roughly: round by round sizes double, and what survives of a round keeps the next one from its room.
#include <bench/defrag/defrag.hpp>

int main(int count, char** words) {
    defrag::Run run(count, words);
    const std::size_t most_live = run.of(64'000'000);
    defrag::Table<defrag::Object> objects(most_live / 8);
    run.begin();
    std::size_t used = 0;
    std::size_t live = 0;
    std::uint32_t stamp = 0;
    for (std::size_t bytes = 16; bytes <= 8192; bytes *= 2) {
        for (; live + bytes <= most_live && used < objects.size(); live += bytes) {
            objects[used++].make(bytes, ++stamp);
        }
        // Of neighbours that the next size would need together, one stays.
        std::size_t kept = 0;
        for (std::size_t i = 0; i < used; ++i) {
            if (i % 2 == 0) {
                objects[kept++] = objects[i];
            } else {
                live -= objects[i].bytes;
                objects[i].end();
            }
        }
        std::fill(objects.begin() + kept, objects.begin() + used, defrag::Object{});
        used = kept;
    }
    run.stage("doubled", objects.begin(), objects.begin() + used);
    defrag::end_all(objects.begin(), objects.begin() + used);
    run.freed();
}
