// The dependent of a pair that ends here cannot be kept.
// expect: dependent()
#include <string>
#include <string_view>

#include <heapwright/own/cell/self_ref.hpp>

using Line = heapwright::SelfRef<std::string, std::string_view>;
Line line(heapwright::SourceRef source) {
    return Line::make(source, "text", [](const std::string& text) { return std::string_view{text}; });
}
std::size_t length(heapwright::SourceRef source) {
#ifdef HEAPWRIGHT_CONTROL
    Line kept = line(source);
    const std::string_view& view = kept.dependent();
#else
    const std::string_view& view = line(source).dependent();
#endif
    return view.size();
}
