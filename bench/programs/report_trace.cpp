// Writes a synthetic trace of any length: report_trace FILE EVENTS [LIVE_BLOCKS] [THREADS]
//
// The program that it pretends to record has a working set that grows to LIVE_BLOCKS and is then churned, mostly
// short-lived blocks beside long-lived ones, sizes and call sites as skewed as real ones, resizes, frees across threads,
// and an allocator with size classes, so that addresses are reused the way allocators reuse them.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <zstd.h>

#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event_codec.hpp>
#include <heapwright/trace/records.hpp>

namespace {

using namespace heapwright;
using namespace heapwright::trace;

std::uint64_t random_state = 42;
std::uint64_t next_random() {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}
std::uint64_t below(std::uint64_t bound) { return (next_random() >> 11) % bound; }

class File {
public:
    explicit File(const char* path) : file_(std::fopen(path, "wb")), context_(ZSTD_createCCtx()), stored_(kMaxStoredBytes) {
        if (file_ == nullptr) {
            std::perror(path);
            std::exit(1);
        }
        FileHeader header{};
        std::memcpy(header.magic, kFileMagic, sizeof header.magic);
        header.version_major = kVersionMajor;
        header.version_minor = kVersionMinor;
        header.header_bytes = sizeof header;
        write(&header, sizeof header);
        ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, 3);
        ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
    }
    ~File() {
        std::fclose(file_);
        ZSTD_freeCCtx(context_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    void chunk(ChunkKind kind, std::span<const std::uint8_t> payload, std::uint32_t items, Tick first = 0, Tick last = 0,
               std::uint32_t thread = 0) {
        const std::size_t bytes = ZSTD_compress2(context_, stored_.data(), stored_.size(), payload.data(), payload.size());
        ChunkHeader header{};
        header.magic = kChunkMagic;
        header.kind = kind;
        header.compression = Compression::zstd;
        header.stored_bytes = static_cast<std::uint32_t>(bytes);
        header.plain_bytes = static_cast<std::uint32_t>(payload.size());
        header.items = items;
        header.thread = static_cast<ThreadIndex>(thread);
        header.first_tick = first;
        header.last_tick = last;
        unsigned char raw[sizeof header];
        std::memcpy(raw, &header, sizeof header);
        header.header_check = fnv1a(raw, offsetof(ChunkHeader, header_check));
        write(&header, sizeof header);
        write(stored_.data(), bytes);
    }

private:
    void write(const void* bytes, std::size_t count) {
        if (std::fwrite(bytes, 1, count, file_) != count) {
            std::perror("write");
            std::exit(1);
        }
    }
    std::FILE* file_;
    ZSTD_CCtx* context_;
    std::vector<std::uint8_t> stored_;
};

constexpr std::uint64_t usable_of(std::uint64_t size) { return std::max<std::uint64_t>((size + 23) / 16 * 16, 32) - 8; }

/// Free lists by 16-byte class over a bump pointer; large blocks in a region of their own, page by page.
class Allocator {
public:
    std::uint64_t take(std::uint64_t size) {
        auto& list = free_[class_of(size)];
        if (!list.empty()) {
            const std::uint64_t address = list.back();
            list.pop_back();
            return address;
        }
        std::uint64_t& bump = size >= kLarge ? large_ : small_;
        const std::uint64_t address = bump;
        bump += size >= kLarge ? (size + 16 + 4095) / 4096 * 4096 : usable_of(size) + 8;
        return address;
    }
    void give_back(std::uint64_t address, std::uint64_t size) { free_[class_of(size)].push_back(address); }
    [[nodiscard]] std::uint64_t small_end() const { return small_; }
    [[nodiscard]] std::uint64_t large_end() const { return large_; }
    static constexpr std::uint64_t kSmallBegin = 0x555555560010;
    static constexpr std::uint64_t kLargeBegin = 0x7f0000000010;

private:
    static constexpr std::uint64_t kLarge = 128 * 1024;
    static std::size_t class_of(std::uint64_t size) {
        return size >= kLarge ? kLarge / 16 + (size - kLarge) / 4096 : (usable_of(size) + 8) / 16;
    }
    std::array<std::vector<std::uint64_t>, 16384> free_;
    std::uint64_t small_ = kSmallBegin;
    std::uint64_t large_ = kLargeBegin;
};

struct Block {
    std::uint64_t address;
    std::uint32_t size;
    std::uint32_t site;
};

constexpr std::uint32_t kSites = 20'000;
constexpr std::uint32_t kLevelFan = 9;

class Program {
public:
    Program(File& file, std::uint64_t live, std::uint32_t threads) : file_(file), live_target_(live), encoders_(threads) {
        for (Thread& thread : encoders_) {
            thread.room.reset(new std::uint8_t[EventEncoder::kRoomBytes]);
            thread.encoder = std::make_unique<EventEncoder>();
            thread.encoder->use_room({thread.room.get(), EventEncoder::kRoomBytes});
        }
        payload_.resize(EventEncoder::kPayloadBytesMax);
        write_head();
    }

    void run(std::uint64_t events) {
        const std::uint64_t growth = events / 2;  // the working set is complete half way
        while (events_ < events) {
            thread_ = static_cast<std::uint32_t>(below(encoders_.size()));
            const std::uint64_t target = std::max<std::uint64_t>(64, live_target_ * std::min(events_, growth) / growth);
            const std::uint64_t dice = below(100);
            if (dice < 45) {  // a burst of short-lived blocks, most of them freed by the same thread at once
                temporary();
            } else if (dice < 50 && !live_.empty()) {
                resize();
            } else if (live_.size() < target || (live_.size() < target + target / 8 && dice < 75)) {
                live_.push_back(allocate());
            } else if (!live_.empty()) {
                release_at(below(live_.size()));
            }
            if (events_ >= next_sample_) {
                sample();
            }
        }
        for (std::uint32_t thread = 0; thread < encoders_.size(); ++thread) {
            flush(thread);
        }
        map();
        text(ChunkKind::end, {{"end", "synthetic"}});
    }

private:
    struct Thread {
        std::unique_ptr<std::uint8_t[]> room;
        std::unique_ptr<EventEncoder> encoder;
    };

    template <class Write>
    void records(ChunkKind kind, std::uint32_t items, Write write, Tick tick = 0) {
        std::vector<std::uint8_t> room(8 << 20);
        ByteWriter out(room);
        write(out);
        file_.chunk(kind, out.written(), items, tick, tick);
    }
    void text(ChunkKind kind, std::vector<std::pair<std::string, std::string>> lines) {
        records(kind, static_cast<std::uint32_t>(lines.size()), [&](ByteWriter& out) {
            for (const auto& [key, value] : lines) {
                write_pair(out, key, std::string_view(value));
            }
        });
    }

    void write_head() {
        text(ChunkKind::info, {{"program", "/usr/bin/synthetic"}, {"allocator", "synthetic"}});
        records(ChunkKind::modules, 1, [](ByteWriter& out) {
            ModuleWriter().write(
                out, Module{.begin = 0x400000, .end = 0x800000, .bias = 0x400000, .path = "/usr/bin/synthetic", .build_id = {}});
        });
        // A tree whose leaves are about as deep as real stacks: each node hangs below one of the earlier ones.
        records(ChunkKind::stacks, kSites, [](ByteWriter& out) {
            StackWriter writer(1);
            for (std::uint32_t node = 1; node <= kSites; ++node) {
                const std::uint32_t parent = node == 1 ? 0 : node < 16 ? node - 1 : 8 + (node - 16) / kLevelFan;
                writer.write(out, StackNode{.parent = static_cast<StackId>(parent), .pc = 0x400000 + below(65536) * 16});
            }
        });
        records(ChunkKind::usable, 4096, [](ByteWriter& out) {
            for (std::uint64_t size = 0; size < 4096; ++size) {
                write_usable(out, UsableSize{.requested = size, .usable = usable_of(size)});
            }
        });
    }

    std::uint32_t some_site() {
        // A product of two uniform numbers: a few sites allocate most.
        return static_cast<std::uint32_t>(1 + below(1 + below(1 + below(kSites))));
    }
    static std::uint32_t size_at(std::uint32_t site) {
        const std::uint64_t dice = below(1000);
        if (dice < 700) {
            return 16 + site % 29 * 8;  // a site mostly asks for the same
        }
        if (dice < 990) {
            return static_cast<std::uint32_t>(1 + below(512));
        }
        return dice < 998 ? static_cast<std::uint32_t>(512 + below(16384)) : static_cast<std::uint32_t>(65536 + below(1 << 18));
    }

    void add(const Event& event) {
        Thread& thread = encoders_[thread_];
        ++tick_;
        Event stamped = event;
        stamped.tick = tick_;
        stamped.thread = static_cast<ThreadIndex>(thread_ + 1);
        if (thread.encoder->is_full()) {
            flush(thread_);
        }
        if (thread.encoder->events() == 0) {
            thread.encoder->begin(tick_);
        }
        thread.encoder->add(stamped, true);
        ++events_;
    }
    void flush(std::uint32_t index) {
        EventEncoder& encoder = *encoders_[index].encoder;
        if (encoder.events() == 0) {
            return;
        }
        const std::size_t bytes = encoder.finish(payload_);
        file_.chunk(ChunkKind::events, std::span(payload_).first(bytes), encoder.events(), encoder.first_tick(), encoder.last_tick(),
                    index + 1);
        encoder.begin(tick_);
    }

    Block allocate() {
        Block block{.address = 0, .size = 0, .site = some_site()};
        block.size = size_at(block.site);
        block.address = allocator_.take(block.size);
        Event event;
        event.address = block.address;
        event.size = block.size;
        event.stack = static_cast<StackId>(block.site);
        add(event);
        return block;
    }
    void release(const Block& block) {
        Event event;
        event.kind = EventKind::release;
        event.call = Call::free;
        event.address = block.address;
        add(event);
        allocator_.give_back(block.address, block.size);
    }
    void release_at(std::size_t index) {
        release(live_[index]);
        live_[index] = live_.back();
        live_.pop_back();
    }
    void temporary() {
        std::array<Block, 4> burst;
        const std::size_t count = 1 + below(burst.size());
        for (std::size_t i = 0; i < count; ++i) {
            burst[i] = allocate();
        }
        for (std::size_t i = count; i-- > 0;) {
            release(burst[i]);
        }
    }
    void resize() {
        Block& block = live_[below(live_.size())];
        Event event;
        event.kind = EventKind::resize_from;
        event.call = Call::realloc;
        event.address = block.address;
        add(event);
        const auto size = static_cast<std::uint32_t>(block.size + block.size / 2 + 16);
        const std::uint64_t old_address = block.address;
        const std::uint32_t wanted = size < 200'000 ? size : 64;
        event.kind = EventKind::resize_to;
        event.old_address = old_address;
        event.address = allocator_.take(wanted);
        event.size = wanted;
        event.stack = static_cast<StackId>(block.site);
        add(event);
        allocator_.give_back(old_address, block.size);
        block.address = event.address;
        block.size = wanted;
    }
    void sample() {
        next_sample_ = events_ + 500'000;
        records(
            ChunkKind::samples, 1,
            [&](ByteWriter& out) {
                const std::uint64_t pages = (allocator_.small_end() - Allocator::kSmallBegin) / 4096;
                SampleWriter().write(out, Sample{.tick = tick_,
                                                 .monotonic_ns = tick_ * 21,
                                                 .resident_pages = pages,
                                                 .file_pages = 500,
                                                 .minor_faults = pages,
                                                 .major_faults = 0,
                                                 .cpu_ns = tick_ * 20});
            },
            tick_);
        if (++samples_ % 10 == 0) {
            map();
        }
    }
    void map() {
        records(
            ChunkKind::mappings, 2,
            [&](ByteWriter& out) {
                MappingWriter writer;
                for (const auto& [begin, end] : {std::pair{Allocator::kSmallBegin, allocator_.small_end()},
                                                 std::pair{Allocator::kLargeBegin, allocator_.large_end()}}) {
                    const std::uint64_t from = begin / 4096 * 4096;
                    const std::uint64_t bytes = (end - from + 4095) / 4096 * 4096;
                    writer.write(
                        out, Mapping{.begin = from, .bytes = bytes, .resident_bytes = bytes, .anonymous_bytes = bytes, .permissions = 3},
                        "[heap]");
                }
            },
            tick_);
    }

    File& file_;
    std::uint64_t live_target_;
    std::vector<Thread> encoders_;
    std::vector<std::uint8_t> payload_;
    Allocator allocator_;
    std::vector<Block> live_;
    std::uint32_t thread_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t next_sample_ = 0;
    std::uint64_t samples_ = 0;
    Tick tick_ = 1000;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: report_trace FILE EVENTS [LIVE_BLOCKS] [THREADS]\n");
        return 2;
    }
    File file(argv[1]);
    const std::uint64_t live = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 2'000'000;
    const auto threads = static_cast<std::uint32_t>(argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 4);
    Program program(file, live, threads);
    program.run(std::strtoull(argv[2], nullptr, 10));
    return 0;
}
