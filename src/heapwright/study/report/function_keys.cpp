#include <heapwright/study/report/function_keys.hpp>

namespace heapwright::study {

std::string_view module_stem(std::string_view module) {
    const std::size_t so = module.find(".so.");
    return so == std::string_view::npos ? module : module.substr(0, so + 3);
}

std::vector<FunctionKeys::Key> FunctionKeys::keys_of(const Findings& findings) {
    std::vector<Key> keys;
    keys.reserve(findings.frames.size());
    for (const Frame& frame : findings.frames) {
        std::string text = frame.function;
        text += '\n';
        text += module_stem(frame.module);
        keys.push_back(keys_.try_emplace(std::move(text), static_cast<Key>(keys_.size())).first->second);
    }
    return keys;
}

}  // namespace heapwright::study
