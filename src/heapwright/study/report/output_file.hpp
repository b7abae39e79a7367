// Writes a report to a file, whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include <heapwright/base/error.hpp>

namespace heapwright::study {

/// Writes `text` to `path`. What was there is replaced only once all of it is on the disk; a pipe or a device is written directly.
///
/// Fails:    permission_denied, not_found, disk_full (number: bytes that did not fit), io_failed. Nothing is left behind.
[[nodiscard]] Result<void> write_output(const std::string& path, std::string_view text);

}  // namespace heapwright::study
