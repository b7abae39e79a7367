// Clang's thread-safety attributes, so that a lock and what it guards are part of the types.
#pragma once

#if defined(__clang__)
#define HEAPWRIGHT_THREAD_ATTRIBUTE(attribute) __attribute__((attribute))
#else
#define HEAPWRIGHT_THREAD_ATTRIBUTE(attribute)
#endif

#define HEAPWRIGHT_CAPABILITY(name) HEAPWRIGHT_THREAD_ATTRIBUTE(capability(name))
#define HEAPWRIGHT_SCOPED_CAPABILITY HEAPWRIGHT_THREAD_ATTRIBUTE(scoped_lockable)
#define HEAPWRIGHT_GUARDED_BY(lock) HEAPWRIGHT_THREAD_ATTRIBUTE(guarded_by(lock))
#define HEAPWRIGHT_POINTEE_GUARDED_BY(lock) HEAPWRIGHT_THREAD_ATTRIBUTE(pt_guarded_by(lock))
#define HEAPWRIGHT_REQUIRES_LOCK(...) HEAPWRIGHT_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define HEAPWRIGHT_EXCLUDES_LOCK(...) HEAPWRIGHT_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define HEAPWRIGHT_ACQUIRES(...) HEAPWRIGHT_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define HEAPWRIGHT_RELEASES(...) HEAPWRIGHT_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define HEAPWRIGHT_TRY_ACQUIRES(...) HEAPWRIGHT_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS HEAPWRIGHT_THREAD_ATTRIBUTE(no_thread_safety_analysis)
