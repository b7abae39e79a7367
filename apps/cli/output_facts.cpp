#include "output_facts.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include <heapwright/base/check.hpp>

namespace heapwright::cli {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

/// FNV-1a.
class Hash {
public:
    void add(char letter) noexcept { value_ = (value_ ^ static_cast<unsigned char>(letter)) * 0x100000001b3U; }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

private:
    std::uint64_t value_ = 0xcbf29ce484222325U;
};

/// Takes a number, and the letters of a hexadecimal one behind its first digit, for one sign.
class RoughHash {
public:
    void add(char letter) noexcept {
        const bool digit = letter >= '0' && letter <= '9';
        if (in_number_ && (digit || std::string_view{"abcdefABCDEFx.:"}.contains(letter))) {
            return;
        }
        hash_.add(digit ? '#' : letter);
        in_number_ = digit;
    }
    [[nodiscard]] std::uint64_t value() const noexcept { return hash_.value(); }

private:
    Hash hash_;
    bool in_number_ = false;
};

bool any_cut_off(const std::vector<OutputFacts>& outputs) { return std::ranges::any_of(outputs, &OutputFacts::cut_off); }

template <class Member>
bool all_equal(const std::vector<OutputFacts>& outputs, const OutputFacts& wanted, Member member) {
    return std::ranges::all_of(outputs, [&](const OutputFacts& facts) { return facts.*member == wanted.*member; });
}

}  // namespace

OutputFacts output_facts_of(const std::string& path) {
    OutputFacts facts;
    Hash exact;
    RoughHash rough;
    std::ifstream file{path, std::ios::binary};
    std::array<char, kPieceBytes> piece{};
    while (file.read(piece.data(), piece.size()), file.gcount() > 0) {
        const std::string_view letters{piece.data(), static_cast<std::size_t>(file.gcount())};
        facts.bytes += letters.size();
        for (const char letter : letters) {
            exact.add(letter);
            rough.add(letter);
        }
    }
    facts.exact = exact.value();
    facts.rough = rough.value();
    return facts;
}

Sameness compare_outputs(const std::vector<OutputFacts>& plain, const std::vector<OutputFacts>& other) {
    HEAPWRIGHT_CHECK(!plain.empty(), "outputs are compared with those of a plain run");
    const OutputFacts& first = plain.front();
    const bool steady = all_equal(plain, first, &OutputFacts::exact);
    if (steady && all_equal(other, first, &OutputFacts::exact)) {
        return Sameness::same;
    }
    const bool nearly_steady = all_equal(plain, first, &OutputFacts::rough);
    if (!steady && nearly_steady && all_equal(other, first, &OutputFacts::rough)) {
        return Sameness::same_but_numbers;
    }
    if (any_cut_off(plain) || any_cut_off(other)) {
        return Sameness::cut_off;
    }
    return nearly_steady ? Sameness::differs : Sameness::varies_by_itself;
}

}  // namespace heapwright::cli
