// Calls every function of the malloc family and every operator new and delete, each a known number of times.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>

extern "C" void cfree(void*) __attribute__((weak));
extern "C" void free_sized(void*, std::size_t) __attribute__((weak));
extern "C" void free_aligned_sized(void*, std::size_t, std::size_t) __attribute__((weak));

namespace {

constexpr std::size_t kAlignment = 64;
int failures = 0;

void expect(bool condition, const char* what) {
    if (!condition) {
        std::printf("wrong: %s\n", what);
        ++failures;
    }
}

void use(void* block, std::size_t size) {
    expect(block != nullptr, "a block");
    if (block != nullptr && size != 0) {
        std::memset(block, 0x5A, size);
    }
}

bool is_aligned(const void* block, std::size_t alignment) { return reinterpret_cast<std::uintptr_t>(block) % alignment == 0; }

void call_malloc_family() {
    void* block = std::malloc(100);
    use(block, 100);
    expect(malloc_usable_size(block) >= 100, "usable size");
    block = std::realloc(block, 5000);
    use(block, 5000);
    block = reallocarray(block, 10, 700);
    use(block, 7000);
    std::free(block);
    void* zeros = std::calloc(7, 11);
    expect(static_cast<char*>(zeros)[76] == 0, "calloc clears");
    std::free(zeros);
    std::free(nullptr);

    void* aligned = nullptr;
    expect(posix_memalign(&aligned, kAlignment, 1000) == 0 && is_aligned(aligned, kAlignment), "posix_memalign");
    std::free(aligned);
    aligned = std::aligned_alloc(kAlignment, 640);
    expect(is_aligned(aligned, kAlignment), "aligned_alloc");
    std::free(aligned);
    aligned = memalign(4096, 10);
    expect(is_aligned(aligned, 4096), "memalign");
    std::free(aligned);
    aligned = valloc(10);
    expect(is_aligned(aligned, 4096), "valloc");
    std::free(aligned);
    aligned = pvalloc(10);
    expect(is_aligned(aligned, 4096) && malloc_usable_size(aligned) >= 4096, "pvalloc");
    std::free(aligned);

    if (cfree != nullptr) {
        cfree(std::malloc(33));
    } else {
        std::free(std::malloc(33));
    }
    if (free_sized != nullptr) {
        free_sized(std::malloc(34), 34);
    } else {
        std::free(std::malloc(34));
    }
    if (free_aligned_sized != nullptr) {
        free_aligned_sized(std::aligned_alloc(kAlignment, 128), kAlignment, 128);
    } else {
        std::free(std::aligned_alloc(kAlignment, 128));
    }
}

void call_operators() {
    const auto align = std::align_val_t{kAlignment};
    ::operator delete(::operator new(21));
    ::operator delete(::operator new(22), std::size_t{22});
    ::operator delete(::operator new(23, std::nothrow), std::nothrow);
    ::operator delete(::operator new(24, align), align);
    ::operator delete(::operator new(25, align), std::size_t{25}, align);
    ::operator delete(::operator new(26, align, std::nothrow), align, std::nothrow);
    ::operator delete[](::operator new[](31));
    ::operator delete[](::operator new[](32), std::size_t{32});
    ::operator delete[](::operator new[](33, std::nothrow), std::nothrow);
    ::operator delete[](::operator new[](34, align), align);
    ::operator delete[](::operator new[](35, align), std::size_t{35}, align);
    ::operator delete[](::operator new[](36, align, std::nothrow), align, std::nothrow);
    ::operator delete(nullptr);
    use(::operator new(0), 0);  // stays: one leak of size 0
}

int handler_calls = 0;

void new_handler() {
    if (++handler_calls == 3) {
        std::set_new_handler(nullptr);
    }
}

void be_refused() {
    constexpr std::size_t kTooMuch = ~std::size_t{0} / 4;
    volatile std::size_t too_much = kTooMuch;
    errno = 0;
    expect(std::malloc(too_much) == nullptr && errno == ENOMEM, "malloc refuses with ENOMEM");
    expect(std::calloc(too_much, 16) == nullptr, "calloc sees the overflow");
    errno = 0;
    expect(reallocarray(nullptr, too_much, 16) == nullptr && errno == ENOMEM, "reallocarray sees the overflow");
    void* block = std::malloc(50);
    use(block, 50);
    expect(std::realloc(block, too_much) == nullptr, "realloc refuses");
    expect(static_cast<unsigned char*>(block)[49] == 0x5A, "a refused realloc leaves the block");
    std::free(block);
    expect(::operator new(too_much, std::nothrow) == nullptr, "nothrow new refuses");
    std::set_new_handler(new_handler);
    bool thrown = false;
    try {
        use(::operator new(too_much), 0);
    } catch (const std::bad_alloc&) {
        thrown = true;
    }
    expect(thrown && handler_calls == 3, "new calls the handler and throws");
    void* aligned = nullptr;
    expect(posix_memalign(&aligned, 3, 10) == EINVAL, "posix_memalign wants powers of two");
    errno = 77;
    std::free(std::malloc(10));
    expect(errno == 77, "free keeps errno");
}

}  // namespace

int main() {
    call_malloc_family();
    call_operators();
    be_refused();
    std::printf("%s\n", failures == 0 ? "all calls behave" : "some calls do not behave");
    return failures == 0 ? 0 : 1;
}
