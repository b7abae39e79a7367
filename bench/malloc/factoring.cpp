// Single thread, many small numbers: convergents of square roots with long integers that live for a few operations, as a factoring program has.
#include <bench/malloc/workload.hpp>

namespace {

using workload::Scale;

/// A natural number: limbs of 32 bits, the lowest first, in one block.
struct Number {
    std::uint32_t count;
    std::uint32_t limbs[1];
};

Number* make_number(std::uint32_t count) {
    auto* number = static_cast<Number*>(workload::given(std::malloc(sizeof(std::uint32_t) * (count + 1U))));
    number->count = count;
    return number;
}

Number* number_of(std::uint32_t value) {
    Number* number = make_number(1);
    number->limbs[0] = value;
    return number;
}

Number* product(const Number* number, std::uint32_t factor) {
    std::uint64_t carry = 0;
    for (std::uint32_t i = 0; i < number->count; ++i) {
        carry = ((number->limbs[i] * std::uint64_t{factor}) + carry) >> 32U;
    }
    Number* result = make_number(number->count + (carry != 0 ? 1 : 0));
    carry = 0;
    for (std::uint32_t i = 0; i < number->count; ++i) {
        carry += number->limbs[i] * std::uint64_t{factor};
        result->limbs[i] = static_cast<std::uint32_t>(carry);
        carry >>= 32U;
    }
    if (carry != 0) {
        result->limbs[number->count] = static_cast<std::uint32_t>(carry);
    }
    return result;
}

/// Requires: `larger` has at least as many limbs.
Number* sum(const Number* larger, const Number* smaller) {
    Number* result = make_number(larger->count + 1);
    std::uint64_t carry = 0;
    for (std::uint32_t i = 0; i < larger->count; ++i) {
        carry += std::uint64_t{larger->limbs[i]} + (i < smaller->count ? smaller->limbs[i] : 0U);
        result->limbs[i] = static_cast<std::uint32_t>(carry);
        carry >>= 32U;
    }
    if (carry == 0) {
        result->count = larger->count;
    } else {
        result->limbs[larger->count] = static_cast<std::uint32_t>(carry);
    }
    return result;
}

std::uint64_t low_bits(const Number* number) {
    return number->limbs[0] | (number->count > 1 ? std::uint64_t{number->limbs[1]} << 32U : 0U);
}

/// The next convergent is factor * current + before; the one before dies.
void step(Number*& before, Number*& current, std::uint32_t factor) {
    Number* scaled = product(current, factor);
    Number* next = sum(scaled, before);
    std::free(scaled);
    std::free(before);
    before = current;
    current = next;
}

std::uint32_t root_of(std::uint32_t value) {
    std::uint32_t root = 0;
    while (std::uint64_t{root + 1} * (root + 1) <= value) {
        ++root;
    }
    return root;
}

/// Expands the square root of `square` and keeps each numerator for a while, as the relations of a sieve.
std::uint64_t expand(std::uint32_t square, std::vector<Number*>& kept, std::size_t& place) {
    const std::uint32_t root = root_of(square);
    if (root * root == square) {
        return root;
    }
    Number* p_before = number_of(1);
    Number* p = number_of(root);
    Number* q_before = number_of(0);
    Number* q = number_of(1);
    std::uint32_t m = 0;
    std::uint32_t d = 1;
    std::uint32_t a = root;
    for (int i = 1; i <= 60; ++i) {
        m = d * a - m;
        d = (square - m * m) / d;
        a = (root + m) / d;
        // p * p - square * q * q is d, with a sign that turns at every step: true for the lowest 64 bits, too.
        const std::uint64_t rest = low_bits(p) * low_bits(p) - square * low_bits(q) * low_bits(q);
        if (rest != (i % 2 == 0 ? std::uint64_t{d} : -std::uint64_t{d})) {
            workload::fail("a convergent is wrong");
        }
        std::free(kept[place]);
        kept[place] = product(p, 1);
        place = (place + 1) % kept.size();
        step(p_before, p, a);
        step(q_before, q, a);
    }
    const std::uint64_t result = low_bits(p) ^ low_bits(q);
    for (Number* number : {p_before, p, q_before, q}) {
        std::free(number);
    }
    return result;
}

}  // namespace

int main(int count, char** words) {
    const Scale scale{count, words};
    std::vector<Number*> kept(5000);
    std::size_t place = 0;
    std::uint64_t checksum = 0;
    const auto squares = static_cast<std::uint32_t>(scale.of(180'000));
    for (std::uint32_t square = 2; square < squares + 2; ++square) {
        checksum += workload::mixed(expand(square, kept, place));
    }
    for (Number* number : kept) {
        std::free(number);
    }
    return workload::finish(checksum);
}
