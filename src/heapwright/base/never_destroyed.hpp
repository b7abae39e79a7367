// An object of the whole process that no exit handler destroys: threads may still use it then.
#pragma once

#include <cstddef>
#include <new>

namespace heapwright {

/// Room for one object. As a variable of a namespace it costs a process that never makes the object nothing: no constructor runs,
/// no exit handler is registered, no page is written.
///
/// Thread safety: make() by one thread, before others ask; get() as the object's own.
///
/// Example:  constinit NeverDestroyed<Monitor> monitor;
///           monitor.make().start(options);
template <class T>
class NeverDestroyed {
public:
    constexpr NeverDestroyed() noexcept = default;
    NeverDestroyed(const NeverDestroyed&) = delete;
    NeverDestroyed& operator=(const NeverDestroyed&) = delete;

    /// The object, made by its default constructor the first time.
    T& make() noexcept {
        if (object_ == nullptr) {
            object_ = ::new (static_cast<void*>(room_)) T;
        }
        return *object_;
    }
    /// nullptr before make().
    [[nodiscard]] T* get() const noexcept { return object_; }

private:
    T* object_ = nullptr;
    alignas(T) std::byte room_[sizeof(T)]{};
};

}  // namespace heapwright
