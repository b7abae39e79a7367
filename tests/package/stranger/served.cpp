// Calls nothing of malloc by itself; its libraries do. Says whose malloc they get.
#include <cstdio>
#include <cstring>

#include <dlfcn.h>

int main() {
    Dl_info facts{};
    dladdr(dlsym(RTLD_DEFAULT, "malloc"), &facts);
    const char* const slash = std::strrchr(facts.dli_fname, '/');
    std::printf("served by %s\n", slash == nullptr ? facts.dli_fname : slash + 1);
    return 0;
}
