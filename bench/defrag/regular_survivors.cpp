// One object of sixteen survives, at regular distances; then larger ones come. After freeing, no page is empty.
#include <bench/defrag/defrag.hpp>

int main(int count, char** words) {
    defrag::Run run(count, words);
    const std::size_t small = run.of(1'000'000);
    defrag::Table<defrag::Object> objects(small + small / 4);
    run.begin();
    std::uint32_t stamp = 0;
    for (std::size_t i = 0; i < small; ++i) {
        objects[i].make(256, ++stamp);
    }
    for (std::size_t i = 0; i < small; ++i) {
        if (i % 16 != 0) {
            objects[i].end();
        }
    }
    run.stage("thinned", objects.begin(), objects.end());
    for (std::size_t i = small; i < objects.size(); ++i) {
        objects[i].make(512, ++stamp);
    }
    run.stage("larger_came", objects.begin(), objects.end());
    defrag::end_all(objects.begin(), objects.end());
    run.freed();
}
