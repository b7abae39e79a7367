// dlopen, dlmopen and dlclose: the list of modules changes.
#include "real.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/record/recorder.hpp>

using heapwright::trace::record::recorder;

extern "C" {

// dlopen searches the RUNPATH of the library that calls it, which it finds by its return address. So the hook must not
// call but jump, with the stack and the arguments as they were; it can only note that the list will change.
__attribute__((used, visibility("hidden"))) void* heapwright_next_dlopen = nullptr;
__attribute__((used, visibility("hidden"))) void* heapwright_next_dlmopen = nullptr;

__attribute__((used, visibility("hidden"))) void heapwright_before_dlopen() {
    if (heapwright_next_dlopen == nullptr) {
        heapwright::preload::wake_up();
        heapwright_next_dlmopen = heapwright::preload::next_function("dlmopen");
        heapwright_next_dlopen = heapwright::preload::next_function("dlopen");
    }
    recorder.modules_may_change();
}

asm(R"(
    .text
    .macro heapwright_jump_behind name, next
    .globl  \name
    .type   \name, @function
\name:
    .cfi_startproc
    endbr64
    pushq   %rdi
    .cfi_adjust_cfa_offset 8
    pushq   %rsi
    .cfi_adjust_cfa_offset 8
    pushq   %rdx
    .cfi_adjust_cfa_offset 8
    call    heapwright_before_dlopen
    popq    %rdx
    .cfi_adjust_cfa_offset -8
    popq    %rsi
    .cfi_adjust_cfa_offset -8
    popq    %rdi
    .cfi_adjust_cfa_offset -8
    jmp     *\next(%rip)
    .cfi_endproc
    .size   \name, . - \name
    .endm

    heapwright_jump_behind dlopen, heapwright_next_dlopen
    heapwright_jump_behind dlmopen, heapwright_next_dlmopen
)");

HEAPWRIGHT_EXPORT int dlclose(void* library) {
    heapwright::preload::wake_up();
    if (!recorder.is_running()) {
        return heapwright::preload::real.dlclose(library);
    }
    recorder.refresh_modules();  // what was loaded meanwhile, as long as it is there
    const int failure = heapwright::preload::real.dlclose(library);
    recorder.modules_were_unloaded();
    return failure;
}

}  // extern "C"
