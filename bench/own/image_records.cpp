// What do 100 000 records of a number, a text and four numbers cost as an image, beside flatbuffers and the live structure?
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#include <heapwright/own/image/image.hpp>
#include <heapwright/own/image/image_writer.hpp>
#include <heapwright/own/image/lazy_image.hpp>

#include <bench/own/cell_rows.hpp>

#if __has_include(<flatbuffers/flatbuffers.h>)
#include <flatbuffers/flatbuffers.h>
#define BENCH_HAS_FLATBUFFERS 1
#endif

namespace {

using namespace heapwright;

constexpr std::size_t kRecords = 100'000;

struct Record {
    std::uint64_t id;
    ImageString name;
    std::array<std::uint32_t, 4> values;
    static constexpr ImageMembers<&Record::id, &Record::name, &Record::values> kImageMembers{};
};
struct Catalogue {
    ImageVector<Record> records;
    static constexpr ImageMembers<&Catalogue::records> kImageMembers{};
};
struct LiveRecord {
    std::uint64_t id;
    std::string name;
    std::array<std::uint32_t, 4> values;
};

/// The same texts for everybody: 6 to 30 letters.
const std::vector<std::string>& names() {
    static const std::vector<std::string> kNames = [] {
        std::vector<std::string> made;
        bench::Random random(1);
        for (std::size_t i = 0; i < kRecords; ++i) {
            made.push_back("record" + std::string(random.below(19), 'x') + std::to_string(i % 1000));
        }
        return made;
    }();
    return kNames;
}

void fill(ImageWriter<Catalogue>& writer) {
    const auto records = writer.make_vector(writer.root().records, kRecords);
    for (std::size_t i = 0; i < kRecords; ++i) {
        const auto number = static_cast<std::uint32_t>(i);
        records[i].id = i;
        writer.set(records[i].name, names()[i]);
        records[i].values = {number, number + 1, number + 2, number + 3};
    }
}

std::vector<LiveRecord> live() {
    std::vector<LiveRecord> records;
    records.reserve(kRecords);
    for (std::size_t i = 0; i < kRecords; ++i) {
        const auto number = static_cast<std::uint32_t>(i);
        records.push_back({i, names()[i], {number, number + 1, number + 2, number + 3}});
    }
    return records;
}

/// A file's bytes where an image may stand.
struct FileBytes {
    std::unique_ptr<std::byte, decltype(&std::free)> room{nullptr, &std::free};
    std::size_t size = 0;
    [[nodiscard]] std::span<const std::byte> span() const { return {room.get(), size}; }
};

FileBytes image_bytes(const std::string& path) {
    FileBytes bytes;
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    std::fseek(file, 0, SEEK_END);
    bytes.size = static_cast<std::size_t>(std::ftell(file));
    std::rewind(file);
    bytes.room.reset(static_cast<std::byte*>(std::aligned_alloc(4096, (bytes.size + 4095) / 4096 * 4096)));
    if (std::fread(bytes.room.get(), 1, bytes.size, file) != bytes.size) {
        std::abort();
    }
    std::fclose(file);
    return bytes;
}

template <class Records>
void traverse(const Records& records) {
    std::uint64_t sum = 0;
    for (const auto& record : records) {
        sum += record.id + record.name.size() + record.values[0] + record.values[1] + record.values[2] + record.values[3];
    }
    bench::escape(&sum);
}
template <class Records>
void traverse_texts(const Records& records) {
    std::uint64_t sum = 0;
    for (const auto& record : records) {
        sum += record.id + static_cast<unsigned char>(record.name.data()[record.name.size() - 1]);
    }
    bench::escape(&sum);
}

#ifdef BENCH_HAS_FLATBUFFERS
namespace flat = flatbuffers;

struct Four {
    std::uint32_t values[4];
};

/// What flatc makes of: table Record { id: ulong; name: string; values: Four; } table Catalogue { records: [Record]; }
struct FlatRecord : private flat::Table {
    static constexpr flat::voffset_t kId = 4;
    static constexpr flat::voffset_t kName = 6;
    static constexpr flat::voffset_t kValues = 8;
    [[nodiscard]] std::uint64_t id() const { return GetField<std::uint64_t>(kId, 0); }
    [[nodiscard]] const flat::String* name() const { return GetPointer<const flat::String*>(kName); }
    [[nodiscard]] const Four* values() const { return GetStruct<const Four*>(kValues); }
    bool Verify(flat::Verifier& verifier) const {  // NOLINT(readability-identifier-naming): its name is flatbuffers'
        return VerifyTableStart(verifier) && VerifyField<std::uint64_t>(verifier, kId, 8) && VerifyOffset(verifier, kName) &&
               verifier.VerifyString(name()) && VerifyField<Four>(verifier, kValues, 4) && verifier.EndTable();
    }
};
struct FlatCatalogue : private flat::Table {
    static constexpr flat::voffset_t kRecordsField = 4;
    [[nodiscard]] const flat::Vector<flat::Offset<FlatRecord>>* records() const {
        return GetPointer<const flat::Vector<flat::Offset<FlatRecord>>*>(kRecordsField);
    }
    bool Verify(flat::Verifier& verifier) const {  // NOLINT(readability-identifier-naming)
        return VerifyTableStart(verifier) && VerifyOffset(verifier, kRecordsField) && verifier.VerifyVector(records()) &&
               verifier.VerifyVectorOfTables(records()) && verifier.EndTable();
    }
};

void fill(flat::FlatBufferBuilder& builder) {
    std::vector<flat::Offset<FlatRecord>> records;
    records.reserve(kRecords);
    for (std::size_t i = 0; i < kRecords; ++i) {
        const auto number = static_cast<std::uint32_t>(i);
        const Four values{{number, number + 1, number + 2, number + 3}};
        const auto name = builder.CreateString(names()[i]);
        const auto start = builder.StartTable();
        builder.AddElement<std::uint64_t>(FlatRecord::kId, i, 0);
        builder.AddOffset(FlatRecord::kName, name);
        builder.AddStruct(FlatRecord::kValues, &values);
        records.emplace_back(builder.EndTable(start));
    }
    const auto all = builder.CreateVector(records);
    const auto start = builder.StartTable();
    builder.AddOffset(FlatCatalogue::kRecordsField, all);
    builder.Finish(flat::Offset<FlatCatalogue>(builder.EndTable(start)));
}

void add_flatbuffers(bench::Rows& rows) {
    rows.add("images", "build, a record", "flatbuffers", kRecords, [] {
        flat::FlatBufferBuilder builder(1 << 20);
        fill(builder);
        bench::escape(builder.GetBufferPointer());
    });
    const auto builder = std::make_shared<flat::FlatBufferBuilder>(1 << 20);
    fill(*builder);
    rows.add("images", "verify, a record", "flatbuffers", kRecords, [builder] {
        flat::Verifier verifier(builder->GetBufferPointer(), builder->GetSize());
        if (!verifier.VerifyBuffer<FlatCatalogue>(nullptr)) {
            std::abort();
        }
    });
    rows.add("images", "traverse, a record", "flatbuffers", kRecords, [builder] {
        std::uint64_t sum = 0;
        for (const FlatRecord* const record : *flat::GetRoot<FlatCatalogue>(builder->GetBufferPointer())->records()) {
            const Four& four = *record->values();
            sum += record->id() + record->name()->size() + four.values[0] + four.values[1] + four.values[2] + four.values[3];
        }
        bench::escape(&sum);
    });
    rows.add("images", "traverse with texts, a record", "flatbuffers", kRecords, [builder] {
        std::uint64_t sum = 0;
        for (const FlatRecord* const record : *flat::GetRoot<FlatCatalogue>(builder->GetBufferPointer())->records()) {
            sum += record->id() + static_cast<unsigned char>(record->name()->Get(record->name()->size() - 1));
        }
        bench::escape(&sum);
    });
    std::printf("{\"group\": \"images\", \"row\": \"bytes a record\", \"who\": \"flatbuffers\", \"value\": %.2f, \"unit\": \"B\"}\n",
                static_cast<double>(builder->GetSize()) / kRecords);
}
#endif

void add_heapwright(bench::Rows& rows, const std::string& path) {
    rows.add("images", "build, a record", "heapwright ImageWriter", kRecords, [] {
        ImageWriter<Catalogue> writer;
        fill(writer);
        bench::escape(&writer.root());
    });
    rows.add("images", "build, a record", "live structure", kRecords, [] {
        const auto records = live();
        bench::escape(records.data());
    });
    const auto bytes = std::make_shared<FileBytes>(image_bytes(path));
    rows.add("images", "verify, a record", "heapwright Image", kRecords, [bytes] {
        const auto image = Image<Catalogue>::from_bytes(bytes->span(), {.version = 1, .verify = ImageVerify::structure});
        bench::escape(&image->root());
    });
    rows.add("images", "verify, a record", "heapwright Image, with checksums", kRecords, [bytes] {
        const auto image = Image<Catalogue>::from_bytes(bytes->span(), {.version = 1});
        bench::escape(&image->root());
    });
    rows.add("images", "map, verify and unmap a file, a record", "heapwright Image, with checksums", kRecords, [path] {
        const auto image = Image<Catalogue>::open(path.c_str(), {.version = 1});
        bench::escape(&image->root());
    });
    rows.add("images", "map and read one record, in all", "heapwright LazyImage", 1, [path] {
        const auto image = LazyImage<Catalogue>::open(path.c_str(), {.version = 1, .verify = ImageVerify::structure});
        const auto records = image->root()->get<&Catalogue::records>();
        const auto name = (*records)[kRecords / 2].get<&Record::name>();
        bench::escape(name->data());
    });
    const auto image = std::make_shared<Image<Catalogue>>(std::move(Image<Catalogue>::open(path.c_str(), {.version = 1}).value()));
    const auto records = std::make_shared<std::vector<LiveRecord>>(live());
    rows.add("images", "traverse, a record", "heapwright Image", kRecords, [image] { traverse((*image)->records); });
    rows.add("images", "traverse, a record", "live structure", kRecords, [records] { traverse(*records); });
    rows.add("images", "traverse with texts, a record", "heapwright Image", kRecords, [image] { traverse_texts((*image)->records); });
    rows.add("images", "traverse with texts, a record", "live structure", kRecords, [records] { traverse_texts(*records); });
    std::printf("{\"group\": \"images\", \"row\": \"bytes a record\", \"who\": \"heapwright Image\", \"value\": %.2f, \"unit\": \"B\"}\n",
                static_cast<double>(bytes->size) / kRecords);
}

}  // namespace

int main(int count, char** arguments) {
    const std::string path = "/tmp/heapwright_bench_image_" + std::to_string(::getpid());
    ImageWriter<Catalogue> writer;
    fill(writer);
    if (!writer.save(path.c_str(), 1)) {
        return 1;
    }
    bench::Rows rows;
    add_heapwright(rows, path);
#ifdef BENCH_HAS_FLATBUFFERS
    add_flatbuffers(rows);
#endif
    const int status = rows.start(count, arguments);
    ::unlink(path.c_str());
    return status;
}
