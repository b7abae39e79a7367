// How do I cache what is expensive to make without keeping what nobody uses any more?
#include <cstdio>
#include <string>
#include <vector>

#include <heapwright/rc.hpp>

namespace {

struct Font {
    std::string family;
    std::vector<char> glyphs = std::vector<char>(100'000);
};

heapwright::WeakCache<std::string, Font> g_fonts;
int g_loads = 0;

heapwright::Rc<Font> font(const std::string& family) {
    return g_fonts.get_or_create(family, [&] {
        ++g_loads;
        return heapwright::make_rc<Font>(Font{.family = family});
    });
}

struct Label {
    heapwright::Rc<Font> font;
    std::string text;
};

}  // namespace

int main() {
    std::vector<Label> page;
    for (int line = 0; line < 1000; ++line) {
        page.push_back({.font = font(line % 10 == 0 ? "serif" : "sans"), .text = "line " + std::to_string(line)});
    }
    const int loads_of_page = g_loads;
    page.clear();  // the fonts go with their last label: the cache held none of them
    const bool is_gone = !g_fonts.find("serif") && !g_fonts.find("sans");
    const heapwright::Rc<Font> again = font("serif");
    const heapwright::WeakCacheStats stats = g_fonts.stats();
    std::printf("%d loads for 1000 labels, %d in all; %zu entries, %llu hits\n", loads_of_page, g_loads, stats.entries,
                static_cast<unsigned long long>(stats.hits));
    return loads_of_page == 2 && is_gone && g_loads == 3 && stats.entries == 1 && stats.hits == 998 ? 0 : 1;
}
