// Feeds a slab inserts, erases and looks under live, dead and made-up keys; the first byte chooses the width of its keys.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "alloc_steps.hpp"

#include <heapwright/alloc/slab/slab.hpp>

namespace {

using heapwright::Layout;
using namespace heapwright::fuzz;

/// A slab: objects under keys, dead keys asked for, keys made up of the input's bytes.
template <class Key>
void play_slab(Source& source, Steps steps) {
    heapwright::Slab<std::uint32_t, Key, 512> slab{source, {.limit_objects = 300}};
    struct Entry {
        Key key;
        std::uint32_t value;
    };
    std::vector<Entry> live;
    std::vector<Key> dead;
    while (steps.next()) {
        source.refuses = (steps.act & 0x40) != 0;
        const std::uint32_t value = std::uint32_t{steps.first} * 256 + steps.second;
        switch (steps.act % 8) {
            case 0: static_cast<void>(slab.trim()); break;
            case 1:
            case 2:
                if (!live.empty()) {
                    Entry& victim = live[value % live.size()];
                    must(slab[victim.key] == victim.value && slab.erase(victim.key) && !slab.erase(victim.key));
                    dead.push_back(victim.key);
                    victim = live.back();
                    live.pop_back();
                }
                break;
            case 3: must(!dead.empty() ? slab.find(dead[value % dead.size()]) == nullptr : slab.find(Key{}) == nullptr); break;
            case 4: static_cast<void>(slab.find(Key::from_parts(value, steps.first))); break;
            default:
                if (const Key key = slab.try_insert(value)) {
                    live.push_back({key, value});
                }
        }
        must(slab.broken_invariant() == nullptr && slab.size() == live.size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return play_input(data, size, [](std::uint8_t choice, Source& source, Steps steps) {
        if (choice % 2 == 0) {
            play_slab<heapwright::BasicSlabKey<std::uint8_t>>(source, steps);
        } else {
            play_slab<heapwright::WideSlabKey>(source, steps);
        }
    });
}
