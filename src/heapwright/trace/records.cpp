// The small chunks' payloads: numbers as differences to the record before, texts with their length.
#include <heapwright/trace/records.hpp>

#include <heapwright/base/text.hpp>

namespace heapwright::trace {

namespace {

std::int64_t difference(std::uint64_t to, std::uint64_t from) noexcept { return static_cast<std::int64_t>(to - from); }

std::uint64_t sum(std::uint64_t base, std::int64_t step) noexcept { return base + static_cast<std::uint64_t>(step); }

bool take_u32(ByteReader& in, std::uint32_t& out) noexcept {
    const std::uint64_t number = in.varint();
    out = static_cast<std::uint32_t>(number);
    return number <= UINT32_MAX;
}

}  // namespace

void StackWriter::write(ByteWriter& out, const StackNode& node) noexcept {
    // Most nodes hang below the one before them: a distance of 1. An outermost frame writes 0.
    const auto parent = static_cast<std::uint32_t>(node.parent);
    out.varint(parent == 0 ? 0 : next_ - parent);
    out.signed_varint(difference(node.pc, last_pc_));
    last_pc_ = node.pc;
    ++next_;
}

bool detail::StackState::read(ByteReader& in, StackNode& node) noexcept {
    std::uint32_t distance = 0;
    if (!take_u32(in, distance) || distance >= next) {
        return false;
    }
    node.parent = distance == 0 ? StackId::none : static_cast<StackId>(next - distance);
    node.pc = sum(last_pc, in.signed_varint());
    last_pc = node.pc;
    ++next;
    return true;
}

void ModuleWriter::write(ByteWriter& out, const Module& module) noexcept {
    out.signed_varint(difference(module.begin, last_end_));
    out.varint(module.end - module.begin);
    out.signed_varint(difference(module.bias, module.begin));
    out.text(module.path);
    out.varint(module.build_id.size());
    out.bytes(module.build_id.data(), module.build_id.size());
    last_end_ = module.end;
}

bool detail::ModuleState::read(ByteReader& in, Module& module) noexcept {
    module.begin = sum(last_end, in.signed_varint());
    const std::uint64_t bytes = in.varint();
    module.end = module.begin + bytes;
    module.bias = sum(module.begin, in.signed_varint());
    module.path = in.text();
    module.build_id = in.bytes(in.varint());
    last_end = module.end;
    return module.end >= module.begin;
}

void SampleWriter::write(ByteWriter& out, const Sample& sample) noexcept {
    out.signed_varint(difference(sample.tick, last_.tick));
    out.signed_varint(difference(sample.monotonic_ns, last_.monotonic_ns));
    out.signed_varint(difference(sample.resident_pages, last_.resident_pages));
    out.signed_varint(difference(sample.file_pages, last_.file_pages));
    out.signed_varint(difference(sample.minor_faults, last_.minor_faults));
    out.signed_varint(difference(sample.major_faults, last_.major_faults));
    out.signed_varint(difference(sample.cpu_ns, last_.cpu_ns));
    last_ = sample;
}

bool detail::SampleState::read(ByteReader& in, Sample& sample) noexcept {
    sample.tick = sum(last.tick, in.signed_varint());
    sample.monotonic_ns = sum(last.monotonic_ns, in.signed_varint());
    sample.resident_pages = sum(last.resident_pages, in.signed_varint());
    sample.file_pages = sum(last.file_pages, in.signed_varint());
    sample.minor_faults = sum(last.minor_faults, in.signed_varint());
    sample.major_faults = sum(last.major_faults, in.signed_varint());
    sample.cpu_ns = sum(last.cpu_ns, in.signed_varint());
    last = sample;
    return true;
}

void MappingWriter::write(ByteWriter& out, const Mapping& mapping, std::string_view name) noexcept {
    out.signed_varint(difference(mapping.begin, last_end_));
    out.varint(mapping.bytes);
    out.varint(mapping.resident_bytes);
    out.varint(mapping.anonymous_bytes);
    out.varint(mapping.permissions);
    out.text(name);
    last_end_ = mapping.begin + mapping.bytes;
}

bool detail::MappingState::read(ByteReader& in, NamedMapping& mapping) noexcept {
    Mapping& numbers = mapping.mapping;
    numbers.begin = sum(last_end, in.signed_varint());
    numbers.bytes = in.varint();
    numbers.resident_bytes = in.varint();
    numbers.anonymous_bytes = in.varint();
    if (!take_u32(in, numbers.permissions)) {
        return false;
    }
    mapping.name = in.text();
    last_end = numbers.begin + numbers.bytes;
    return last_end >= numbers.begin;
}

void write_usable(ByteWriter& out, const UsableSize& pair) noexcept {
    out.varint(pair.requested);
    out.signed_varint(difference(pair.usable, pair.requested));
}

bool detail::UsableState::read(ByteReader& in, UsableSize& pair) noexcept {
    pair.requested = in.varint();
    pair.usable = sum(pair.requested, in.signed_varint());
    return true;
}

void write_thread(ByteWriter& out, const ThreadRecord& thread) noexcept {
    out.varint(static_cast<std::uint32_t>(thread.thread));
    out.varint(thread.tid);
    out.varint(thread.first_tick);
    out.signed_varint(difference(thread.last_tick, thread.first_tick));
    out.byte(thread.finished ? 1 : 0);
    out.text(thread.name);
}

bool detail::ThreadState::read(ByteReader& in, ThreadRecord& thread) noexcept {
    std::uint32_t index = 0;
    if (!take_u32(in, index) || !take_u32(in, thread.tid)) {
        return false;
    }
    thread.thread = static_cast<ThreadIndex>(index);
    thread.first_tick = in.varint();
    thread.last_tick = sum(thread.first_tick, in.signed_varint());
    thread.finished = (in.byte() & 1) != 0;
    thread.name = in.text();
    return true;
}

void write_pair(ByteWriter& out, std::string_view key, std::string_view value) noexcept {
    out.bytes(key.data(), key.size());
    out.byte('=');
    for (const char letter : value) {
        if (letter == '\n') {
            out.bytes("\\n", 2);
        } else if (letter == '\\') {
            out.bytes("\\\\", 2);
        } else {
            out.byte(static_cast<std::uint8_t>(letter));
        }
    }
    out.byte('\n');
}

void write_pair(ByteWriter& out, std::string_view key, std::uint64_t value) noexcept {
    Text<24> digits;
    digits.append_decimal(value);
    write_pair(out, key, digits.view());
}

bool TextReader::next(std::string_view& key, std::string_view& value) noexcept {
    while (!rest_.empty()) {
        const std::size_t length = rest_.find('\n');
        const std::string_view line = rest_.substr(0, length);
        rest_.remove_prefix(length == std::string_view::npos ? rest_.size() : length + 1);
        const std::size_t equals = line.find('=');
        if (equals != std::string_view::npos) {
            key = line.substr(0, equals);
            value = {line.data() + equals + 1, line.size() - equals - 1};
            return true;
        }
    }
    return false;
}

std::size_t unescape(std::string_view value, char* room) noexcept {
    std::size_t used = 0;
    for (std::size_t at = 0; at < value.size(); ++at) {
        char letter = value[at];
        if (letter == '\\' && at + 1 < value.size()) {
            ++at;
            letter = value[at] == 'n' ? '\n' : value[at];
        }
        room[used++] = letter;
    }
    return used;
}

}  // namespace heapwright::trace
