// How do I load a large structure at once, without parsing it, and without trusting the file?
#include <cstdint>
#include <cstdio>
#include <string>

#include <unistd.h>

#include <heapwright/image.hpp>

namespace {

struct Word {
    heapwright::ImageString text;
    std::uint64_t count;
    heapwright::ImageRef<Word> follower;  // the word that most often comes next
    static constexpr heapwright::ImageMembers<&Word::text, &Word::count, &Word::follower> kImageMembers{};
};
struct Dictionary {
    heapwright::ImageMap<heapwright::ImageString, Word> words;
    static constexpr heapwright::ImageMembers<&Dictionary::words> kImageMembers{};
};
constexpr std::uint32_t kVersion = 3;

bool build(const char* path) {
    heapwright::ImageWriter<Dictionary> writer;
    const auto entries = writer.make_map(writer.root().words, 50'000);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        writer.set(entries[i].key, (i % 2 == 0 ? "word " : "quite a long word ") + std::to_string(i));
        entries[i].value.count = i * i;
    }
    const bool is_fine = writer.sort(entries);
    for (std::size_t i = 0; i < entries.size(); ++i) {  // in their final places, so that references stay right
        entries[i].value.text = entries[i].key;
        entries[i].value.follower = &entries[(i + 1) % entries.size()].value;
    }
    return is_fine && writer.save(path, kVersion).has_value();
}

}  // namespace

int main() {
    const std::string path = "/tmp/heapwright_dictionary_" + std::to_string(::getpid());
    if (!build(path.c_str())) {
        return 1;
    }
    const auto image = heapwright::Image<Dictionary>::open(path.c_str(), {.version = kVersion});
    const auto wrong = heapwright::Image<Dictionary>::open(path.c_str(), {.version = kVersion + 1});
    ::unlink(path.c_str());  // what is mapped stays until the image ends
    const Word* const word = image && !wrong ? (*image)->words.find("quite a long word 4711") : nullptr;
    if (word == nullptr) {
        return 1;
    }
    std::printf("%zu words in %zu bytes; after '%.*s' comes '%s'\n", (*image)->words.size(), image->size_bytes(),
                static_cast<int>(word->text.size()), word->text.data(), std::string(word->follower->text.view()).c_str());
    heapwright::Text<300> sentence;
    heapwright::describe_image_error(wrong.error(), "dictionary", kVersion + 1, sentence);
    std::puts(sentence.c_str());
    return word->count == 4711ULL * 4711 ? 0 : 1;
}
