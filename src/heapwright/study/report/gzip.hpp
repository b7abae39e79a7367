// Compresses pieces of text as they come, in gzip's format.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace heapwright::study {

/// Example:
///   Gzip gzip;
///   write_document(findings, {}, {}, [&](std::string_view piece) { gzip.add(piece); });
///   const std::string packed = gzip.finish();
///
/// The output is the same for the same input: the header bears no time and no name.
class Gzip {
public:
    Gzip();
    ~Gzip();
    Gzip(const Gzip&) = delete;
    Gzip& operator=(const Gzip&) = delete;

    void add(std::string_view piece);

    /// Everything that came, compressed. Call once.
    [[nodiscard]] std::string finish();

private:
    struct Stream;
    void pump(std::string_view piece, int flush);

    std::unique_ptr<Stream> stream_;
    std::string packed_;
};

}  // namespace heapwright::study
