// How an image's memory grows, and how it becomes a file.
#include <heapwright/own/image/image_arena.hpp>

#include <cstring>

#include <heapwright/os/file.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/image/detail/checksum.hpp>
#include <heapwright/own/image/detail/format.hpp>
#include <heapwright/own/image/fault.hpp>

namespace heapwright {

namespace {

constexpr std::size_t kCommitBytes = std::size_t{1} << 20;
constexpr std::size_t kWriteBytes = std::size_t{8} << 20;  // with one call, where no hole is between

using detail::ImageHeader;
using detail::kImageBlockBytes;
using detail::kImageHeaderBytes;

bool is_zero(std::span<const std::byte> bytes) {
    // The first byte is zero, and each equals the one before it.
    return bytes.empty() || (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::span<const std::byte> block_of(std::span<const std::byte> payload, std::uint64_t block) {
    const std::size_t begin = block * kImageBlockBytes;
    const std::size_t left = payload.size() - begin;
    return payload.subspan(begin, left < kImageBlockBytes ? left : kImageBlockBytes);
}

ImageHeader header_for(std::uint64_t payload_bytes, std::uint64_t schema, std::uint32_t version, std::size_t root_bytes) {
    ImageHeader header{};
    std::memcpy(header.magic, detail::kImageMagic, sizeof(header.magic));
    header.endian = detail::kImageEndian;
    header.format = detail::kImageFormat;
    header.reference_bytes = detail::kImageReferenceBytes;
    header.schema = schema;
    header.version = version;
    header.block_bits = detail::kImageBlockBits;
    header.payload_bytes = payload_bytes;
    header.root_bytes = root_bytes;
    header.checksum = detail::image_checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(ImageHeader, checksum)), 0);
    return header;
}

/// Writes runs of blocks with one call each, where no hole is between.
class RunWriter {
public:
    RunWriter(os::File& file, std::span<const std::byte> payload) : file_(file), payload_(payload) {}

    /// The bytes up to `end` come next; a hole is left as it is.
    [[nodiscard]] Result<void> add(std::size_t end, bool is_hole) {
        Result<void> written;
        if (is_hole || end_ - begin_ >= kWriteBytes) {
            written = finish();
        }
        begin_ = is_hole ? end : begin_;
        end_ = end;
        return written;
    }
    [[nodiscard]] Result<void> finish() {
        const std::size_t begin = begin_;
        begin_ = end_;
        return begin == end_ ? Result<void>{} : file_.write_all_at(payload_.subspan(begin, end_ - begin), kImageHeaderBytes + begin);
    }

private:
    os::File& file_;
    std::span<const std::byte> payload_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

/// Blocks that are not all zero, and the checksums of all.
Result<void> write_payload(os::File& file, std::span<const std::byte> payload) noexcept {
    constexpr std::size_t kSums = 512;  // in one piece
    const std::uint64_t blocks = detail::image_blocks(payload.size());
    RunWriter runs(file, payload);
    std::uint64_t sums[kSums];
    for (std::uint64_t block = 0; block < blocks; ++block) {
        const auto bytes = block_of(payload, block);
        sums[block % kSums] = detail::image_checksum(bytes, block);
        if (auto written = runs.add(block * kImageBlockBytes + bytes.size(), is_zero(bytes)); !written) {
            return written;
        }
        if (block % kSums == kSums - 1 || block + 1 == blocks) {
            const std::uint64_t first = block - block % kSums;
            const std::uint64_t at = kImageHeaderBytes + payload.size() + first * sizeof(std::uint64_t);
            if (auto written = file.write_all_at(std::as_bytes(std::span(sums, block - first + 1)), at); !written) {
                return written;
            }
        }
    }
    return runs.finish();
}

Result<void> write_all(os::File& file, std::span<const std::byte> payload, const ImageHeader& header) noexcept {
    // The length first: holes are what nobody writes. The header last: a file without it is no image.
    if (auto sized = file.resize(detail::image_file_bytes(payload.size())); !sized) {
        return sized;
    }
    if (auto written = write_payload(file, payload); !written) {
        return written;
    }
    if (auto written = file.write_all_at(std::as_bytes(std::span(&header, 1)), 0); !written) {
        return written;
    }
    return file.sync();
}

/// Makes the new name last as long as the file. A folder that cannot be opened or synced keeps it in its own time.
void sync_folder_of(const char* path) noexcept {
    Text<4096> folder;
    std::size_t length = std::strlen(path);
    while (length > 0 && path[length - 1] != '/') {
        --length;
    }
    folder.append(length == 0 ? std::string_view(".") : std::string_view(path, length));
    if (auto opened = os::File::open_read(folder.c_str())) {
        static_cast<void>(opened->sync());
    }
}

}  // namespace

ImageArena::ImageArena(std::size_t limit_bytes) noexcept : limit_(os::round_to_pages(limit_bytes)) {}

ImageArena::~ImageArena() {
    if (base_ != nullptr) {
        os::release(base_, limit_);
    }
}

void* ImageArena::refuse(Error error) noexcept {
    if (!has_refused_) {
        refusal_ = error;
        has_refused_ = true;
    }
    return nullptr;
}

void* ImageArena::allocate_slow(Layout layout) noexcept {
    if (layout.alignment > detail::kImageAlignment) {
        return refuse({.kind = Errc::invalid_argument, .number = layout.alignment});
    }
    const std::size_t start = align_up(used_, layout.alignment);
    if (start > limit_ || layout.size > limit_ - start) {
        return refuse(fail_with(ImageFault::too_large, Errc::limit_reached, limit_).error());
    }
    if (base_ == nullptr) {
        base_ = static_cast<std::byte*>(os::reserve(limit_, os::kPageBytes, "heapwright image"));
        if (base_ == nullptr) {
            return refuse({.kind = Errc::out_of_memory, .number = limit_});
        }
    }
    const std::size_t end = start + layout.size;
    // An eighth more each time, so that large images do not ask the kernel for each MiB.
    std::size_t wanted = os::round_to_pages(end + (committed_ / 8 < kCommitBytes ? kCommitBytes : committed_ / 8));
    wanted = wanted < limit_ ? wanted : limit_;
    if (end > committed_) {
        if (!os::commit(base_ + committed_, wanted - committed_)) {
            return refuse({.kind = Errc::out_of_memory, .number = wanted - committed_});
        }
        committed_ = wanted;
    }
    used_ = end;
    return base_ + start;
}

Result<void> ImageArena::write(const char* path, std::uint64_t schema, std::uint32_t version, std::size_t root_bytes) noexcept {
    Text<4096> beside;
    beside.append(path).append(".").append_decimal(static_cast<std::uint64_t>(os::current_tid())).append(".part");
    if (beside.truncated()) {
        return fail_with(Errc::overflow, std::strlen(path));
    }
    if (try_allocate({.size = align_up(used_, sizeof(std::uint64_t)) - used_, .alignment = 1}) == nullptr) {
        return std::unexpected(refusal_);
    }
    auto file = os::File::create_truncate(beside.c_str());
    if (!file) {
        return std::unexpected(file.error());
    }
    auto done = write_all(*file, payload(), header_for(used_, schema, version, root_bytes));
    file->close();
    if (done) {
        done = os::rename_file(beside.c_str(), path);
    }
    if (!done) {
        static_cast<void>(os::remove_file(beside.c_str()));
        return done;
    }
    sync_folder_of(path);
    return {};
}

}  // namespace heapwright
