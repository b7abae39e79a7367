// The templates of play.hpp.
#pragma once

#include <algorithm>
#include <iterator>
#include <utility>

#include <heapwright/study/timeline/play.hpp>

namespace heapwright::study {
namespace detail {

template <class Item, class Decode>
std::vector<Item> MetadataPlayer::decode(const trace::ChunkRef& chunk, Decode decode_items) {
    std::vector<Item> items;
    if (!decode_items(chunk.header, plain_, items)) {
        reader_.report_damage(chunk, 0);
    }
    return items;
}

template <class Sink>
Result<void> MetadataPlayer::play(Sink& sink) {
    for (const trace::ChunkRef& chunk : reader_.chunks()) {
        if (chunk.header.kind == trace::ChunkKind::events || chunk.header.kind == trace::ChunkKind::watermark) {
            continue;
        }
        if (chunk.header.kind == trace::ChunkKind::mappings) {
            maps_.push_back({.tick = chunk.header.first_tick, .chunk = chunk});
            continue;
        }
        const auto loaded = load(chunk);
        if (!loaded) {
            return std::unexpected(loaded.error());
        }
        switch (chunk.header.kind) {
            case trace::ChunkKind::info:
            case trace::ChunkKind::end: {
                trace::InfoLines lines;
                trace::decode_text(plain_, lines);
                sink.on_info(lines);
                break;
            }
            case trace::ChunkKind::modules: sink.on_modules(decode<trace::ModuleInfo>(chunk, trace::decode_modules)); break;
            case trace::ChunkKind::stacks: sink.on_stacks(decode_nodes(chunk)); break;
            case trace::ChunkKind::samples:
                std::ranges::copy(decode<trace::Sample>(chunk, trace::decode_samples), std::back_inserter(samples_));
                break;
            case trace::ChunkKind::usable: sink.on_usable(decode<trace::UsableSize>(chunk, trace::decode_usable)); break;
            case trace::ChunkKind::threads: sink.on_threads(decode<trace::ThreadInfo>(chunk, trace::decode_threads)); break;
            case trace::ChunkKind::mappings:
            case trace::ChunkKind::events:
            case trace::ChunkKind::watermark: break;
        }
    }
    std::ranges::stable_sort(maps_, {}, &MapChunk::tick);
    std::ranges::stable_sort(samples_, {}, &trace::Sample::tick);
    sink.on_samples(std::span<const trace::Sample>(samples_));
    return {};
}

}  // namespace detail

template <class Sink>
Result<Played> play(trace::Reader& reader, Sink& sink, const Progress& progress) {
    constexpr std::uint64_t kProgressStep = 1 << 18;
    detail::MetadataPlayer metadata(reader);
    if (auto played = metadata.play(sink); !played) {
        return std::unexpected(played.error());
    }
    EventMerger merger(reader);
    const std::uint64_t promised = std::max<std::uint64_t>(reader.outline().events, 1);
    std::uint64_t next_progress = kProgressStep;
    const auto play_until = [&](trace::Tick limit) -> Result<void> {
        while (true) {
            const auto batch = merger.next(limit);
            if (!batch) {
                return std::unexpected(batch.error());
            }
            if (batch->empty()) {
                return {};
            }
            sink.on_events(*batch);
            if (progress && merger.delivered() >= next_progress) {
                next_progress = merger.delivered() + kProgressStep;
                progress(std::min(1.0, static_cast<double>(merger.delivered()) / static_cast<double>(promised)), merger.delivered());
            }
        }
    };

    std::vector<trace::MapLine> map;
    for (const detail::MapChunk& chunk : metadata.maps()) {
        if (auto played = play_until(chunk.tick); !played) {
            return std::unexpected(played.error());
        }
        if (auto loaded = metadata.load_map(chunk.chunk, map); !loaded) {
            return std::unexpected(loaded.error());
        }
        sink.on_mappings(chunk.tick, map);
    }
    if (auto played = play_until(~trace::Tick{0}); !played) {
        return std::unexpected(played.error());
    }
    if (progress) {
        progress(1.0, merger.delivered());
    }
    return Played{.events = merger.delivered(), .late_events = merger.late_events()};
}

}  // namespace heapwright::study
