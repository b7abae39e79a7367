// Objects of 16 to 1024 bytes, of which one of five survives by chance; then blocks of some pages come.
#include <bench/defrag/defrag.hpp>

int main(int count, char** words) {
    defrag::Run run(count, words);
    defrag::Table<defrag::Object> objects(run.of(1'000'000));
    const std::size_t small = objects.size() * 15 / 16;
    run.begin();
    defrag::Random random(1);
    std::uint32_t stamp = 0;
    for (std::size_t i = 0; i < small; ++i) {
        objects[i].make(random.size_between(16, 1024), ++stamp);
    }
    for (std::size_t i = 0; i < small; ++i) {
        if (random.below(5) != 0) {
            objects[i].end();
        }
    }
    run.stage("thinned", objects.begin(), objects.end());
    for (std::size_t i = small; i < objects.size(); i += 2) {
        objects[i].make(random.size_between(2048, 8192), ++stamp);
    }
    run.stage("pages_came", objects.begin(), objects.end());
    defrag::end_all(objects.begin(), objects.end());
    run.freed();
}
