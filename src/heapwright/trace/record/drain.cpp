// Collecting the threads' words, and the order in which the chunks that they become are written.
#include <heapwright/trace/record/drain.hpp>

#include <new>

#include <heapwright/base/text.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/trace/record/recorder.hpp>
#include <heapwright/trace/records.hpp>

namespace heapwright::trace::record {

namespace {

constexpr std::size_t kUsableRoom = std::size_t{16} << 10;
constexpr std::size_t kThreadsRoom = std::size_t{16} << 10;

/// The kernel's name of a thread that lives; what was known before, if it does not.
void read_name(ThreadLog& log) noexcept {
    Text<64> path;
    path.append("/proc/self/task/").append_decimal(log.tid).append("/comm");
    char room[32];
    if (const auto bytes = os::read_file(path.c_str(), room); bytes && *bytes > 1) {
        TextBuffer(log.name, sizeof(log.name)).append({room, *bytes - 1});
    }
}

}  // namespace

Result<void> Drain::prepare() noexcept {
    if (encoder_ != nullptr) {
        return {};
    }
    constexpr std::size_t encoder_bytes = os::round_to_pages(sizeof(EventEncoder));
    constexpr std::size_t bytes =
        encoder_bytes + EventEncoder::kRoomBytes + EventEncoder::kPayloadBytesMax + kSmallBytes + kUsableRoom + kThreadsRoom;
    auto* memory = static_cast<std::uint8_t*>(os::map_observer_pages(bytes, "heapwright encoder"));
    if (memory == nullptr) {
        return fail_with(Errc::out_of_memory, bytes);
    }
    encoder_ = new (memory) EventEncoder;
    memory += encoder_bytes;
    encoder_->use_room({memory, EventEncoder::kRoomBytes});
    memory += EventEncoder::kRoomBytes;
    payload_ = memory;
    memory += EventEncoder::kPayloadBytesMax;
    small_ = memory;
    memory += kSmallBytes;
    usable_ = ByteWriter({memory, kUsableRoom});
    memory += kUsableRoom;
    threads_ = ByteWriter({memory, kThreadsRoom});
    return {};
}

void Drain::reset() noexcept {
    usable_.rewind(0);
    usable_items_ = 0;
    threads_.rewind(0);
    thread_items_ = 0;
    usable_known_ = {};
    written_nodes_ = 0;
    threads_seen_ = 0;
    run_began_ = 0;
    watermark_ = 0;
    events_ = 0;
    last_events_ = 0;
}

/// Notes for each log how far it has come. After this the stack tree is asked for its nodes: it then holds all that the
/// collected events name.
void Drain::collect(Recorder& owner) noexcept {
    const auto take = [](ThreadLog& log) noexcept {
        log.taken_first = log.full_first;
        log.full_first = nullptr;
        log.full_last = nullptr;
        log.taken_current = log.current;
        log.taken_finished = log.finished;
        // The limit first, and acquire (pairs with the release in ThreadLog::leave): whoever is not busy now has
        // published all that it stamped before, and the cursor shows it.
        log.taken_busy = log.limit.load(std::memory_order_acquire) == kBusy;
        // Acquire pairs with the release in ThreadLog::publish: the words before the cursor are written.
        log.taken_to = log.current == nullptr ? nullptr : reinterpret_cast<const Word*>(log.cursor.load(std::memory_order_acquire));
    };
    const os::LockGuard guard(owner.lock_);
    for (ThreadLog* log = owner.logs_; log != nullptr; log = log->next) {
        take(*log);
    }
    take(owner.process_log_);
    owner.full_buffers_ = 0;
}

void Drain::write_stacks(Recorder& owner, TraceWriter& file, std::uint32_t up_to) noexcept {
    while (written_nodes_ < up_to) {
        ByteWriter out({small_, kSmallBytes});
        StackWriter writer(written_nodes_ + 1);
        std::uint32_t items = 0;
        while (written_nodes_ + items < up_to && out.room() > 2 * kVarintBytesMax) {
            writer.write(out, owner.nodes_.node(written_nodes_ + items + 1));
            ++items;
        }
        file.write({.kind = ChunkKind::stacks, .items = items}, out.written());
        written_nodes_ += items;
    }
}

void Drain::begin_chunk(const ThreadLog& log) noexcept {
    // Events without a stamp have the one before; but never one before a watermark that is already in the file.
    encoder_->begin(log.drained_tick < watermark_ ? watermark_ : log.drained_tick);
}

bool Drain::close_chunk(TraceWriter& file, ThreadLog& log) noexcept {
    log.drained_tick = encoder_->last_tick();
    if (encoder_->events() == 0) {
        return true;
    }
    if (log.index == ThreadIndex::process && log.tid != 0) {
        log.index = static_cast<ThreadIndex>(++threads_seen_);
    }
    const std::size_t bytes = encoder_->finish({payload_, EventEncoder::kPayloadBytesMax});
    const bool written = file.write({.kind = ChunkKind::events,
                                     .items = encoder_->events(),
                                     .thread = log.index,
                                     .first_tick = encoder_->first_tick(),
                                     .last_tick = encoder_->last_tick()},
                                    {payload_, bytes});
    if (written) {
        events_ += encoder_->events();
        last_events_ += encoder_->events();
    }
    return written;
}

bool Drain::write_log(Recorder& owner, TraceWriter& file, ThreadLog& log) noexcept {
    bool more = true;
    bool gave_back = false;
    begin_chunk(log);
    while (Buffer* buffer = log.taken_first) {
        log.taken_first = buffer->next;
        more = more && encode(file, log, buffer->drained, buffer->filled);
        const os::LockGuard guard(owner.lock_);
        owner.pool_.give(buffer);
        gave_back = true;
    }
    if (gave_back) {
        owner.buffers_came_back();
    }
    if (log.taken_to != nullptr) {
        more = more && encode(file, log, log.taken_current->drained, log.taken_to);
        log.taken_current->drained = log.taken_to;
    }
    return close_chunk(file, log) && more;
}

bool Drain::run(Recorder& owner, TraceWriter& file) noexcept {
    const Tick began = tick_now();
    last_events_ = 0;
    write_modules(owner, file);
    collect(owner);
    write_stacks(owner, file, owner.nodes_.published());

    // What was stamped before the run before began was published before this run, except by a thread that sits inside
    // an event: its stamp is not before its last published one.
    Tick complete = run_began_;
    bool more = true;
    const std::uint64_t limit = owner.options().max_file_bytes;
    const auto serve = [&](ThreadLog& log) noexcept {
        more = more && write_log(owner, file, log);
        if (log.taken_busy && log.drained_tick < complete) {
            complete = log.drained_tick;
        }
        more = more && (limit == 0 || file.bytes() < limit - limit / 16);
        if (!log.announced && log.index != ThreadIndex::process) {
            announce(file, log, false);
        }
    };
    serve(owner.process_log_);
    for (ThreadLog* log = owner.first_log(); log != nullptr && more; log = log->next) {
        serve(*log);
    }
    owner.retire_finished_logs(*this, file);
    flush_announcements(file);
    write_usable(file);
    if (complete > watermark_ && last_events_ != 0) {
        watermark_ = complete;
        file.write({.kind = ChunkKind::watermark, .first_tick = complete, .last_tick = complete}, {});
    }
    run_began_ = began;
    return more && !file.has_failed();
}

void Drain::discard(Recorder& owner) noexcept {
    collect(owner);
    const os::LockGuard guard(owner.lock_);
    const auto drop = [&owner](ThreadLog& log) noexcept {
        while (Buffer* buffer = log.taken_first) {
            log.taken_first = buffer->next;
            owner.pool_.give(buffer);
        }
    };
    for (ThreadLog* log = owner.logs_; log != nullptr; log = log->next) {
        drop(*log);
    }
    drop(owner.process_log_);
}

void Drain::write_modules(Recorder& owner, TraceWriter& file) noexcept {
    const ModuleList list = owner.take_modules();
    if (list.payload == nullptr) {
        return;
    }
    write_stacks(owner, file, list.stack_nodes);
    file.write({.kind = ChunkKind::modules, .items = list.modules}, {list.payload, list.payload_bytes});
    owner.keep_modules(list);
}

void Drain::note_usable(std::uint64_t requested, std::uint64_t usable) noexcept {
    auto& known = usable_known_[(requested * 0x9E3779B97F4A7C15U >> 54) % kUsableKnown];
    // The entry holds requested + 1, so that a fresh table knows nothing.
    if ((known[0] == requested + 1 && known[1] == usable) || usable_.room() < 2 * kVarintBytesMax) {
        return;
    }
    known = {requested + 1, usable};
    trace::write_usable(usable_, {.requested = requested, .usable = usable});
    ++usable_items_;
}

void Drain::write_usable(TraceWriter& file) noexcept {
    if (usable_items_ != 0) {
        file.write({.kind = ChunkKind::usable, .items = usable_items_}, usable_.written());
        usable_.rewind(0);
        usable_items_ = 0;
    }
}

void Drain::announce(TraceWriter& file, ThreadLog& log, bool finished) noexcept {
    if (threads_.room() < 128) {
        flush_announcements(file);
    }
    if (!finished) {
        read_name(log);
    }
    trace::write_thread(threads_, {.thread = log.index,
                                   .tid = log.tid,
                                   .first_tick = log.first_tick,
                                   .last_tick = log.drained_tick,
                                   .finished = finished,
                                   .name = log.name});
    ++thread_items_;
    log.announced = true;
}

void Drain::flush_announcements(TraceWriter& file) noexcept {
    if (thread_items_ != 0) {
        file.write({.kind = ChunkKind::threads, .items = thread_items_}, threads_.written());
        threads_.rewind(0);
        thread_items_ = 0;
    }
}

void Drain::write_threads(Recorder& owner, TraceWriter& file) noexcept {
    for (ThreadLog* log = owner.first_log(); log != nullptr; log = log->next) {
        if (log->index != ThreadIndex::process) {
            announce(file, *log, false);
        }
    }
    flush_announcements(file);
}

}  // namespace heapwright::trace::record
