// A program without a C++ run time asks operator new for more than there is: usage: new_in_c throwing|quiet
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef void* new_function(size_t bytes);
typedef void* quiet_new_function(size_t bytes, const void* quiet);

int main(int words, char** word) {
    new_function* throwing = (new_function*)dlsym(RTLD_DEFAULT, "_Znwm");
    quiet_new_function* quiet = (quiet_new_function*)dlsym(RTLD_DEFAULT, "_ZnwmRKSt9nothrow_t");
    if (throwing == NULL || quiet == NULL || throwing(100) == NULL) {
        return 3;
    }
    if (words > 1 && strcmp(word[1], "quiet") == 0) {
        return quiet((size_t)1 << 60, "") == NULL ? 0 : 1;
    }
    puts("before");
    fflush(stdout);
    throwing((size_t)1 << 60);
    puts("after");
    return 0;
}
