// How do several ways to manage memory run the same programs? One of them, chosen when compiled, behind one set of names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <memory_resource>
#include <utility>
#include <vector>

namespace bench {

inline double seconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Pauses of the whole program, in milliseconds; empty where a way to manage memory has none.
inline std::vector<double> pauses_ms;

inline void report(double wall_s, std::uint64_t checksum) {
    std::sort(pauses_ms.begin(), pauses_ms.end());
    const auto at = [](double share) {
        return pauses_ms.empty()
                   ? 0.0
                   : pauses_ms[std::min(pauses_ms.size() - 1, static_cast<std::size_t>(share * static_cast<double>(pauses_ms.size())))];
    };
    std::printf("%.6f\t%llu\t%zu\t%.4f\t%.4f\t%.4f\n", wall_s, static_cast<unsigned long long>(checksum), pauses_ms.size(), at(0.5),
                at(0.99), pauses_ms.empty() ? 0.0 : pauses_ms.back());
}

}  // namespace bench

#if defined(BENCH_HEAPWRIGHT)

#include <cstdlib>
#include <string_view>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>

namespace bench {

inline heapwright::gc::Heap* heap = nullptr;

template <class T>
using Ref = heapwright::gc::Ptr<T>;
template <class T>
using Global = heapwright::gc::Root<T>;
template <class T>
using Array = heapwright::gc::Array<T>;
using Thread = heapwright::gc::ThreadScope;

template <class T, class... Args>
inline Ref<T> make(Args&&... args) {
    return heapwright::gc::make<T>(*heap, std::forward<Args>(args)...);
}
template <class T>
inline Ref<Array<T>> make_array(std::size_t count) {
    return heapwright::gc::make_array<T>(*heap, count);
}
template <class T>
inline Global<T> global(Ref<T> target) {
    return Global<T>(*heap, target);
}
inline Thread thread() { return Thread(*heap); }
using Waiting = heapwright::gc::BlockingRegion;
inline Waiting waiting() { return Waiting(*heap); }
inline void collect() { heap->collect(); }
template <class T>
inline void drop(const Ref<T>&) {}

inline void begin() {
    namespace gc = heapwright::gc;
    const char* const mode = std::getenv("BENCH_GC_MODE");
    gc::GcConfig config = mode != nullptr && std::string_view(mode) == "short" ? gc::GcConfig::short_pauses() : gc::GcConfig{};
    if (mode != nullptr && std::string_view(mode) == "one marker") {
        config.markers = 1;
    }
    config.on_event = [](const gc::GcEvent& event, void*) noexcept { pauses_ms.push_back(static_cast<double>(event.pause_ns) * 1e-6); };
    pauses_ms.reserve(1 << 20);
    heap = new gc::Heap(config);
}

#define BENCH_TRACE(...) \
    void trace(heapwright::gc::Tracer& tracer) const { tracer(__VA_ARGS__); }

}  // namespace bench

#else

namespace bench {

/// Elements of a fixed number; collected where everything is, else freed by drop_array.
template <class T>
struct Array {
    explicit Array(std::size_t its_size) : size_(its_size) {}
    std::size_t size() const { return size_; }
    T* data() { return reinterpret_cast<T*>(this + 1); }
    T& operator[](std::size_t index) { return data()[index]; }
    std::size_t size_;
};
struct Thread {};
struct Waiting {};
inline Waiting waiting() { return {}; }
#define BENCH_TRACE(...)

}  // namespace bench

#if defined(BENCH_BDWGC)

#define GC_THREADS
#include <gc.h>

namespace bench {

template <class T>
using Ref = T*;
template <class T>
using Global = T*;

template <class T, class... Args>
inline T* make(Args&&... args) {
    return new (GC_MALLOC(sizeof(T))) T(std::forward<Args>(args)...);
}
template <class T>
inline Array<T>* make_array(std::size_t count) {
    const std::size_t bytes = sizeof(Array<T>) + count * sizeof(T);
    return new (std::is_arithmetic_v<T> ? GC_MALLOC_ATOMIC(bytes) : GC_MALLOC(bytes)) Array<T>(count);  // zeroed where it holds pointers
}
template <class T>
inline T* global(T* target) {
    return target;
}
inline Thread thread() { return {}; }
template <class T>
inline void drop(T*) {}

inline void collect() { GC_gcollect(); }

inline double stopped_at_s = 0;
inline void begin() {
    GC_INIT();
    GC_allow_register_threads();
    pauses_ms.reserve(1 << 20);
    GC_set_on_collection_event([](GC_EventType event) {
        if (event == GC_EVENT_PRE_STOP_WORLD) {
            stopped_at_s = seconds();
        } else if (event == GC_EVENT_POST_START_WORLD) {
            pauses_ms.push_back((seconds() - stopped_at_s) * 1e3);
        }
    });
}

}  // namespace bench

#elif defined(BENCH_SHARED)

namespace bench {

template <class T>
using Ref = std::shared_ptr<T>;
template <class T>
using Global = std::shared_ptr<T>;

template <class T, class... Args>
inline Ref<T> make(Args&&... args) {
    return std::make_shared<T>(std::forward<Args>(args)...);
}
template <class T>
inline Ref<Array<T>> make_array(std::size_t count) {
    void* const block = ::operator new(sizeof(Array<T>) + count * sizeof(T));
    auto* const array = new (block) Array<T>(count);
    std::uninitialized_value_construct_n(array->data(), count);
    return Ref<Array<T>>(array, [](Array<T>* gone) {
        std::destroy_n(gone->data(), gone->size());
        ::operator delete(gone);
    });
}
template <class T>
inline Ref<T> global(Ref<T> target) {
    return target;
}
inline Thread thread() { return {}; }
template <class T>
inline void drop(Ref<T>& target) {
    target.reset();
}
inline void begin() {}

}  // namespace bench

#else  // new and delete, or an arena for each structure

namespace bench {

template <class T>
using Ref = T*;
template <class T>
using Global = T*;

#if defined(BENCH_MONOTONIC)
inline thread_local std::pmr::monotonic_buffer_resource* arena = nullptr;
template <class T, class... Args>
inline T* make(Args&&... args) {
    return new (arena->allocate(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
}
#else
template <class T, class... Args>
inline T* make(Args&&... args) {
    return new T(std::forward<Args>(args)...);
}
#endif
template <class T>
inline Array<T>* make_array(std::size_t count) {
    auto* const array = new (::operator new(sizeof(Array<T>) + count * sizeof(T))) Array<T>(count);
    std::uninitialized_value_construct_n(array->data(), count);
    return array;
}
template <class T>
inline T* global(T* target) {
    return target;
}
inline Thread thread() { return {}; }
/// The program says what ends: `T::end_members` ends what it owns.
template <class T>
inline void drop(T* target) {
#if !defined(BENCH_MONOTONIC)
    if (target != nullptr) {
        target->end_members();
        delete target;
    }
#endif
}
inline void begin() {}

}  // namespace bench

#endif
#endif
