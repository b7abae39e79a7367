// A table of names as scanners keep one: each text is looked up by its hash, a new one is copied, and the table doubles by calloc.
#include <bench/malloc/workload.hpp>

namespace {

struct Name {
    Name* next;
    std::uint64_t hash;
    std::size_t length;
    char text[1];
};

std::uint64_t hash_of(const char* text, std::size_t length) {
    std::uint64_t hash = 14695981039346656037U;
    for (std::size_t i = 0; i < length; ++i) {
        hash = (hash ^ static_cast<unsigned char>(text[i])) * 1099511628211U;
    }
    return workload::mixed(hash);
}

class Names {
public:
    ~Names() {
        for (std::size_t i = 0; i < places_; ++i) {
            for (Name* name = table_[i]; name != nullptr;) {
                Name* next = name->next;
                std::free(name);
                name = next;
            }
        }
        std::free(table_);
    }

    const Name* find_or_add(const char* text, std::size_t length) {
        const std::uint64_t hash = hash_of(text, length);
        for (Name* name = table_[hash % places_]; name != nullptr; name = name->next) {
            if (name->hash == hash && name->length == length && std::memcmp(name->text, text, length) == 0) {
                return name;
            }
        }
        if (++count_ > places_) {
            double_table();
        }
        auto* name = static_cast<Name*>(workload::given(std::malloc(sizeof(Name) + length)));
        name->next = table_[hash % places_];
        name->hash = hash;
        name->length = length;
        std::memcpy(name->text, text, length + 1);
        return table_[hash % places_] = name;
    }

    [[nodiscard]] std::size_t count() const { return count_; }

private:
    static Name** make_table(std::size_t places) { return static_cast<Name**>(workload::given(std::calloc(places, sizeof(Name*)))); }

    void double_table() {
        Name** larger = make_table(places_ * 2);
        for (std::size_t i = 0; i < places_; ++i) {
            for (Name* name = table_[i]; name != nullptr;) {
                Name* next = name->next;
                Name*& place = larger[name->hash % (places_ * 2)];
                name->next = place;
                place = name;
                name = next;
            }
        }
        std::free(table_);
        table_ = larger;
        places_ *= 2;
    }

    std::size_t places_ = 64;
    std::size_t count_ = 0;
    Name** table_ = make_table(places_);
};

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    workload::Random random{21};
    std::uint64_t checksum = 0;
    for (int file = 0; file < 5; ++file) {
        Names names;
        const std::size_t distinct = scale.of(150'000, 100);
        for (std::size_t i = 0; i < distinct * 3; ++i) {
            char text[64];
            const std::size_t number = random.below(distinct);
            const int length =
                std::snprintf(text, sizeof text, "%.*s_%zu", static_cast<int>(number % 23), "identifier_of_a_long_name", number);
            checksum += names.find_or_add(text, static_cast<std::size_t>(length))->hash;
        }
        checksum += workload::mixed(names.count());
    }
    return workload::finish(checksum);
}
