// Compressing chunks with zstd in memory of our own, and appending them with raw system calls.
#include <heapwright/trace/record/trace_writer.hpp>

#include <cstring>

#include <sys/syscall.h>
#include <unistd.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::trace::record {

namespace {

/// Payloads shorter than this are stored as they are: a frame's own bytes would eat the gain.
constexpr std::size_t kWorthCompressing = 64;

/// Fast, with tables that fit the second-level cache: the columns have done most of the work before.
constexpr ZSTD_compressionParameters kCompression = {
    .windowLog = 18, .chainLog = 6, .hashLog = 14, .searchLog = 1, .minMatch = 5, .targetLength = 1, .strategy = ZSTD_fast};

bool set_parameters(ZSTD_CCtx* compressor) noexcept {
    const struct {
        ZSTD_cParameter name;
        unsigned value;
    } settings[] = {{ZSTD_c_windowLog, kCompression.windowLog}, {ZSTD_c_hashLog, kCompression.hashLog},
                    {ZSTD_c_chainLog, kCompression.chainLog},   {ZSTD_c_searchLog, kCompression.searchLog},
                    {ZSTD_c_minMatch, kCompression.minMatch},   {ZSTD_c_targetLength, kCompression.targetLength},
                    {ZSTD_c_strategy, kCompression.strategy},   {ZSTD_c_checksumFlag, 1}};
    for (const auto& setting : settings) {
        if (ZSTD_isError(ZSTD_CCtx_setParameter(compressor, setting.name, static_cast<int>(setting.value)))) {
            return false;
        }
    }
    return true;
}

}  // namespace

Result<void> TraceWriter::prepare() noexcept {
    if (compressor_ != nullptr) {
        return {};
    }
    const std::size_t workspace_bytes = ZSTD_estimateCCtxSize_usingCParams(kCompression);
    if (workspace_ == nullptr) {
        out_bytes_ = sizeof(ChunkHeader) + ZSTD_compressBound(kMaxPlainBytes);
        workspace_ = os::map_observer_pages(workspace_bytes, "heapwright compressor");
        out_ = static_cast<std::uint8_t*>(os::map_observer_pages(out_bytes_, "heapwright chunk"));
    }
    if (workspace_ == nullptr || out_ == nullptr) {
        return fail_with(Errc::out_of_memory, workspace_bytes + out_bytes_);
    }
    compressor_ = ZSTD_initStaticCCtx(workspace_, workspace_bytes);
    if (compressor_ == nullptr || !set_parameters(compressor_)) {
        return fail_with(Errc::out_of_memory, workspace_bytes);
    }
    return {};
}

Result<void> TraceWriter::create(const char* path) noexcept {
    auto file = os::File::create_exclusive(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    file_ = static_cast<os::File&&>(*file);
    bytes_ = 0;
    chunks_ = 0;
    end_at_ = 0;
    failed_ = false;
    FileHeader header{};
    std::memcpy(header.magic, kFileMagic, sizeof(header.magic));
    header.version_major = kVersionMajor;
    header.version_minor = kVersionMinor;
    header.header_bytes = sizeof(header);
    if (!append({reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)})) {
        return std::unexpected(failure_);
    }
    return {};
}

void TraceWriter::abandon() noexcept {
    static_cast<void>(file_.give_up());
    compressor_ = nullptr;  // fork may have met it in mid-work: prepare() makes it anew in the same memory
    bytes_ = 0;
    chunks_ = 0;
    end_at_ = 0;
    failed_ = false;
}

bool TraceWriter::append(std::span<const std::uint8_t> bytes) noexcept {
    if (failed_ || !file_.is_open()) {
        return false;
    }
    if (auto written = file_.write_all(std::as_bytes(bytes)); !written) {
        failed_ = true;
        failure_ = written.error();
        cut_to(bytes_);  // readers would stop at the torn chunk
        return false;
    }
    bytes_ += bytes.size();
    return true;
}

bool TraceWriter::write(const ChunkTitle& title, std::span<const std::uint8_t> plain) noexcept {
    ChunkHeader header{};
    header.magic = kChunkMagic;
    header.kind = title.kind;
    header.compression = Compression::none;
    header.plain_bytes = static_cast<std::uint32_t>(plain.size());
    header.items = title.items;
    header.thread = title.thread;
    header.first_tick = title.first_tick;
    header.last_tick = title.last_tick;

    std::uint8_t* payload = out_ + sizeof(header);
    std::size_t stored = 0;
    if (plain.size() >= kWorthCompressing) {
        stored = ZSTD_compress2(compressor_, payload, out_bytes_ - sizeof(header), plain.data(), plain.size());
        if (ZSTD_isError(stored) != 0 || stored >= plain.size()) {
            stored = 0;
        }
    }
    if (stored != 0) {
        header.compression = Compression::zstd;
    } else {
        stored = plain.size();
        if (stored != 0) {
            std::memcpy(payload, plain.data(), stored);
        }
        header.payload_check = fnv1a(payload, stored);
    }
    header.stored_bytes = static_cast<std::uint32_t>(stored);
    header.header_check = fnv1a(reinterpret_cast<const unsigned char*>(&header), offsetof(ChunkHeader, header_check));
    std::memcpy(out_, &header, sizeof(header));
    if (!append({out_, sizeof(header) + stored})) {
        return false;
    }
    ++chunks_;
    return true;
}

void TraceWriter::cut_to(std::uint64_t bytes) noexcept {
    static_cast<void>(file_.resize(bytes));
    os::raw_syscall(SYS_lseek, file_.fd(), bytes, SEEK_SET);
}

void TraceWriter::take_back_end() noexcept {
    if (end_at_ == 0 || !file_.is_open()) {
        return;
    }
    cut_to(end_at_);
    bytes_ = end_at_;
    --chunks_;
    end_at_ = 0;
}

}  // namespace heapwright::trace::record
