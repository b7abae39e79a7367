// Food for a compiler: enough templates that cc1plus allocates millions of times. Compiled with -fsyntax-only or -O1.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N>
struct Chain {
    using Value = std::tuple<int, std::string, std::map<int, std::vector<typename Chain<N - 1>::Last>>>;
    using Last = std::variant<int, double, std::pair<int, std::integral_constant<int, N>>>;
    static int weigh(const Value& value) { return std::get<0>(value) + Chain<N - 1>::weigh({}); }
};

template <>
struct Chain<0> {
    using Value = std::tuple<int>;
    using Last = std::variant<int>;
    static int weigh(const Value&) { return 0; }
};

template <class... Parts>
auto combine(Parts&&... parts) {
    return std::make_tuple(std::function<int()>{[parts] { return static_cast<int>(sizeof(parts)); }}...);
}

template <std::size_t... I>
int sum_of_chains(std::index_sequence<I...>) {
    return (Chain<static_cast<int>(I) + 1>::weigh({}) + ...);
}

int main() {
    const std::regex word{"([a-z]+)([0-9]*)"};
    std::unordered_map<std::string, std::shared_ptr<std::map<std::string, int>>> table;
    table["a"] = std::make_shared<std::map<std::string, int>>();
    auto all = combine(1, 2.0, std::string{"three"}, std::vector<int>{4}, std::map<int, int>{});
    std::vector<std::string> names{"x1", "y2"};
    std::ranges::sort(names);
    const int total = sum_of_chains(std::make_index_sequence<40>{});
    return total + static_cast<int>(std::regex_match(names.front(), word)) + std::get<0>(all)();
}
