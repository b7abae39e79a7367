#include <heapwright/os/file_mapping.hpp>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::os {

FileMapping::~FileMapping() {
    if (start_ != nullptr) {
        release(start_, round_to_pages(bytes_));
    }
}

Result<FileMapping> FileMapping::map(const File& file) noexcept {
    const auto bytes = file.size();
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    if (*bytes == 0) {
        return fail_with(Errc::invalid_argument);
    }
    const long result = raw_syscall(SYS_mmap, nullptr, *bytes, PROT_READ, MAP_PRIVATE, file.fd(), 0);
    if (is_failure(result)) {
        return std::unexpected(file_error(errno_of(result), *bytes));
    }
    return FileMapping(reinterpret_cast<std::byte*>(result), *bytes);
}

Result<FileMapping> FileMapping::copy(File& file) noexcept {
    const auto bytes = file.size();
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    if (*bytes == 0) {
        return fail_with(Errc::invalid_argument);
    }
    auto* const start = static_cast<std::byte*>(map_pages(*bytes, "heapwright file"));
    if (start == nullptr) {
        return fail_with(Errc::out_of_memory, *bytes);
    }
    FileMapping mapping(start, *bytes);
    const auto read = file.read_full({start, static_cast<std::size_t>(*bytes)});
    if (!read) {
        return std::unexpected(read.error());
    }
    if (*read != *bytes) {
        return fail_with(Errc::io_failed, *read);
    }
    return mapping;
}

}  // namespace heapwright::os
