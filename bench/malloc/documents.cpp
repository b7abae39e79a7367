// Documents as a web service has them: values of objects, arrays and strings are built, written as text, read again and dropped.
#include <string>
#include <utility>
#include <variant>

#include <bench/malloc/workload.hpp>

namespace {

using workload::Random;

struct Value;
using Array = std::vector<Value>;
using Object = std::vector<std::pair<std::string, Value>>;

struct Value {
    std::variant<std::uint64_t, std::string, Array, Object> content;
};

Value grow(Random& random, int depth) {
    const std::size_t kind = depth == 0 ? random.below(2) : 2 + random.below(2);
    switch (kind) {
        case 0: return {random.next() >> 40U};
        case 1: return {std::string(random.below(40), static_cast<char>('a' + random.below(26)))};
        case 2: {
            Array array;
            for (std::size_t i = 0, count = 1 + random.below(6); i < count; ++i) {
                array.push_back(grow(random, depth - 1));
            }
            return {std::move(array)};
        }
        default: {
            Object object;
            for (std::size_t i = 0, count = 1 + random.below(6); i < count; ++i) {
                object.emplace_back("the member " + std::to_string(i), grow(random, depth - 1));
            }
            return {std::move(object)};
        }
    }
}

void write(const Value& value, std::string& text) {
    if (const auto* number = std::get_if<std::uint64_t>(&value.content)) {
        text += std::to_string(*number);
    } else if (const auto* string = std::get_if<std::string>(&value.content)) {
        text += '"' + *string + '"';
    } else if (const auto* array = std::get_if<Array>(&value.content)) {
        text += '[';
        for (const Value& item : *array) {
            write(item, text);
            text += ',';
        }
        text.back() = ']';
    } else {
        text += '{';
        for (const auto& [name, item] : std::get<Object>(value.content)) {
            text += '"' + name + "\":";
            write(item, text);
            text += ',';
        }
        text.back() = '}';
    }
}

/// Reads what write() wrote: no blanks, no escapes, nothing empty but strings.
class Reader {
public:
    explicit Reader(const std::string& text) : at_{text.c_str()} {}

    Value read() {
        switch (*at_) {
            case '"': return {read_string()};
            case '[': {
                Array array;
                do {
                    ++at_;
                    array.push_back(read());
                } while (*at_ == ',');
                ++at_;
                return {std::move(array)};
            }
            case '{': {
                Object object;
                do {
                    ++at_;
                    std::string name = read_string();
                    ++at_;
                    object.emplace_back(std::move(name), read());
                } while (*at_ == ',');
                ++at_;
                return {std::move(object)};
            }
            default: {
                char* end = nullptr;
                const std::uint64_t number = std::strtoull(at_, &end, 10);
                at_ = end;
                return {number};
            }
        }
    }

private:
    std::string read_string() {
        const char* begin = ++at_;
        at_ = std::strchr(at_, '"');
        return {begin, at_++};
    }

    const char* at_;
};

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    Random random{22};
    std::vector<Value> recent(50);  // a cache of documents that are read now and then
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < scale.of(5000); ++i) {
        std::string text;
        write(grow(random, 5), text);
        Value document = Reader{text}.read();
        std::string again;
        write(document, again);
        if (again != text) {
            workload::fail("a document changed on its way");
        }
        checksum = checksum * 31 + text.size() + static_cast<unsigned char>(text[text.size() / 2]);
        recent[random.below(recent.size())] = std::move(document);
    }
    return workload::finish(checksum);
}
