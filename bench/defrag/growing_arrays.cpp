// Arrays grow by halves while nodes are made between their moves; then most of the nodes go, and the arrays stay.
#include <bench/defrag/defrag.hpp>

int main(int count, char** words) {
    defrag::Run run(count, words);
    const std::size_t arrays = run.of(4'000);
    const std::size_t nodes = run.of(900'000);
    defrag::Table<defrag::Object> objects(arrays + nodes);
    run.begin();
    defrag::Random random(3);
    std::uint32_t stamp = 0;
    for (std::size_t i = 0; i < arrays; ++i) {
        objects[i].make(64, ++stamp);
    }
    for (std::size_t i = arrays; i < objects.size(); ++i) {
        objects[i].make(random.size_between(32, 256), ++stamp);
        if (defrag::Object& array = objects[random.below(arrays)]; i % 16 == 0 && array.bytes < 120'000) {
            array.verify();
            array.grow(array.bytes * 3 / 2);
        }
    }
    run.stage("grown", objects.begin(), objects.end());
    // Nodes go in runs, as they do with what they belong to.
    for (std::size_t i = arrays; i < objects.size(); ++i) {
        if (i / 100 % 8 != 0) {
            objects[i].end();
        }
    }
    run.stage("nodes_gone", objects.begin(), objects.end());
    defrag::end_all(objects.begin(), objects.end());
    run.freed();
}
