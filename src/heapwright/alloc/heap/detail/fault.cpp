// One line each, then SIGABRT.
#include <heapwright/alloc/heap/detail/fault.hpp>

#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright::heap {

namespace {

using Line = Text<320>;

[[noreturn]] void stop(const Line& line) noexcept { abort_with(line.view()); }

void append_bytes(Line& line, std::size_t bytes) noexcept {
    line.append_decimal(std::uint64_t{bytes});
    line.append(bytes == 1 ? " byte" : " bytes");
}

void begin(Line& line, const char* what, const char* fault, const void* pointer) noexcept {
    line.append("heapwright: ");
    line.append(what);
    line.append(fault);
    line.append_pointer(pointer);
}

}  // namespace

void stop_freed_before(const char* what, const void* block, std::size_t most_bytes) noexcept {
    Line line;
    begin(line, what, " of a block that was freed before: ", block);
    line.append(" of up to ");
    append_bytes(line, most_bytes);
    line.append("; look for a second free of the same block");
    stop(line);
}

void stop_inside(const char* what, const void* pointer, std::size_t distance, std::size_t bytes) noexcept {
    Line line;
    begin(line, what, " of a pointer that is no block: ", pointer);
    line.append(" lies ");
    append_bytes(line, distance);
    line.append(" behind the start of a block of ");
    append_bytes(line, bytes);
    line.append("; pass the address that malloc returned");
    stop(line);
}

void stop_overrun(const char* what, const void* block, std::size_t most_bytes) noexcept {
    Line line;
    begin(line, what, " of a block that was written beyond its end: ", block);
    line.append(" of up to ");
    append_bytes(line, most_bytes);
    line.append("; look for a write past what was asked for");
    stop(line);
}

void stop_written_after_free(const void* block, std::size_t most_bytes, std::size_t at) noexcept {
    Line line;
    begin(line, "a write", " to a block that was freed: ", block);
    line.append(" of up to ");
    append_bytes(line, most_bytes);
    line.append(" changed at byte ");
    line.append_decimal(std::uint64_t{at});
    line.append("; look for a pointer that is used after free");
    stop(line);
}

void stop_wrong_size(const char* what, const void* block, std::size_t bytes, std::size_t told) noexcept {
    Line line;
    begin(line, what, " with a wrong size: ", block);
    line.append(" of ");
    append_bytes(line, bytes);
    line.append(" was said to have ");
    line.append_decimal(std::uint64_t{told});
    line.append("; pass the size that was asked for");
    stop(line);
}

void stop_damaged(const void* block, std::size_t bytes) noexcept {
    Line line;
    begin(line, "malloc", " found its free blocks damaged: ", block);
    line.append(" is no free block of ");
    append_bytes(line, bytes);
    line.append("; look for a write to a block that was freed");
    stop(line);
}

}  // namespace heapwright::heap
