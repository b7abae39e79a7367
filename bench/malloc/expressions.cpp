// Single thread, a syntax tree with virtual functions: random expressions are derived, evaluated both ways and torn down.
#include <memory>
#include <string>

#include <bench/malloc/workload.hpp>

namespace {

using workload::Random;
using workload::Scale;

/// A value with its derivative, modulo 2^64.
struct Dual {
    std::uint64_t value;
    std::uint64_t slope;
};

struct Expression {
    virtual ~Expression() = default;
    [[nodiscard]] virtual Dual at(std::uint64_t x) const = 0;
    [[nodiscard]] virtual std::unique_ptr<Expression> copy() const = 0;
    [[nodiscard]] virtual std::unique_ptr<Expression> derived() const = 0;
};

using Tree = std::unique_ptr<Expression>;

struct Constant final : Expression {
    explicit Constant(std::uint64_t number) : value{number} {}
    [[nodiscard]] Dual at(std::uint64_t) const override { return {value, 0}; }
    [[nodiscard]] Tree copy() const override { return std::make_unique<Constant>(value); }
    [[nodiscard]] Tree derived() const override { return std::make_unique<Constant>(0); }
    std::uint64_t value;
};

struct Variable final : Expression {
    [[nodiscard]] Dual at(std::uint64_t x) const override { return {x, 1}; }
    [[nodiscard]] Tree copy() const override { return std::make_unique<Variable>(); }
    [[nodiscard]] Tree derived() const override { return std::make_unique<Constant>(1); }
};

struct Sum final : Expression {
    Sum(Tree a, Tree b) : left{std::move(a)}, right{std::move(b)} {}
    [[nodiscard]] Dual at(std::uint64_t x) const override {
        const Dual a = left->at(x);
        const Dual b = right->at(x);
        return {a.value + b.value, a.slope + b.slope};
    }
    [[nodiscard]] Tree copy() const override { return std::make_unique<Sum>(left->copy(), right->copy()); }
    [[nodiscard]] Tree derived() const override { return std::make_unique<Sum>(left->derived(), right->derived()); }
    Tree left;
    Tree right;
};

struct Product final : Expression {
    Product(Tree a, Tree b) : left{std::move(a)}, right{std::move(b)} {}
    [[nodiscard]] Dual at(std::uint64_t x) const override {
        const Dual a = left->at(x);
        const Dual b = right->at(x);
        return {a.value * b.value, a.slope * b.value + a.value * b.slope};
    }
    [[nodiscard]] Tree copy() const override { return std::make_unique<Product>(left->copy(), right->copy()); }
    [[nodiscard]] Tree derived() const override {
        return std::make_unique<Sum>(std::make_unique<Product>(left->derived(), right->copy()),
                                     std::make_unique<Product>(left->copy(), right->derived()));
    }
    Tree left;
    Tree right;
};

/// Named, so that some nodes own a string of their own.
struct Named final : Expression {
    Named(std::string text, Tree inside) : name{std::move(text)}, body{std::move(inside)} {}
    [[nodiscard]] Dual at(std::uint64_t x) const override {
        const Dual inner = body->at(x);
        return {inner.value * name.size(), inner.slope * name.size()};
    }
    [[nodiscard]] Tree copy() const override { return std::make_unique<Named>(name, body->copy()); }
    [[nodiscard]] Tree derived() const override { return std::make_unique<Named>(name, body->derived()); }
    std::string name;
    Tree body;
};

Tree grow(Random& random, int depth) {
    if (depth == 0) {
        return random.below(2) == 0 ? Tree{std::make_unique<Variable>()} : Tree{std::make_unique<Constant>(random.below(100))};
    }
    switch (random.below(5)) {
        case 0: return std::make_unique<Named>(std::string(1 + random.below(60), 'n'), grow(random, depth - 1));
        case 1:
        case 2: return std::make_unique<Product>(grow(random, depth - 1), grow(random, depth - 1));
        default: return std::make_unique<Sum>(grow(random, depth - 1), grow(random, depth - 1));
    }
}

}  // namespace

int main(int count, char** words) {
    const Scale scale{count, words};
    Random random{2};
    std::vector<Tree> library(200);  // some trees are kept for a while
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < scale.of(12'000); ++i) {
        Tree tree = grow(random, 8);
        const Tree slope = tree->derived();
        const Dual direct = tree->at(i);
        if (slope->at(i).value != direct.slope) {
            workload::fail("a derivative is wrong");
        }
        checksum += workload::mixed(direct.value ^ direct.slope);
        library[random.below(library.size())] = std::move(tree);
    }
    return workload::finish(checksum);
}
