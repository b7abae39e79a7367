# Finds the third-party libraries that modules name under LIBRARIES, and states the compiler flags of each discipline.
if(HEAPWRIGHT_OBSERVER)
  find_package(PkgConfig REQUIRED)
  find_package(Threads REQUIRED)
  pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
  pkg_check_modules(libdw REQUIRED IMPORTED_TARGET libdw)
  pkg_check_modules(libelf REQUIRED IMPORTED_TARGET libelf)
  pkg_check_modules(tomlplusplus REQUIRED tomlplusplus)  # its headers suffice: no library of it is linked
  find_package(ZLIB REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(CLI11 REQUIRED)
endif()

# Warnings travel only inside this build: an installed target must not impose them on a stranger.
add_library(heapwright_warnings INTERFACE)
target_compile_options(heapwright_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wundef -Wformat=2
  $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  # libstdc++ 12's own stable_sort calls get_temporary_buffer, which C++23 deprecates; clang says so in our files.
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-deprecated-declarations>
  # GCC 12 sees overlapping copies in every "text" + std::string at -O3 (GCC bug 105651).
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>
  $<$<BOOL:${HEAPWRIGHT_WERROR}>:-Werror>)

add_library(heapwright_sanitizers INTERFACE)
if(HEAPWRIGHT_SANITIZE)
  target_compile_options(heapwright_sanitizers INTERFACE -fsanitize=${HEAPWRIGHT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(heapwright_sanitizers INTERFACE -fsanitize=${HEAPWRIGHT_SANITIZE})
endif()
if(HEAPWRIGHT_FUZZ)
  target_compile_options(heapwright_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()

# In somebody else's program: nothing that throws, needs type information, allocates thread storage lazily, or shows a
# symbol. No stack protector, because the recorder's code runs before the program's canary exists. A section for each
# function, so that the linker leaves out what a preload library does not call. The flags are also those of the
# freestanding floors: the same objects end up in the preload libraries.
add_library(heapwright_in_process INTERFACE)
target_compile_options(heapwright_in_process INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fvisibility-inlines-hidden>
  -ftls-model=initial-exec -fno-stack-protector -fvisibility=hidden -ffunction-sections -fdata-sections)
if(NOT HEAPWRIGHT_SANITIZE)  # not a generator expression: the comma of address,undefined would end its operand
  target_compile_options(heapwright_in_process INTERFACE $<$<CONFIG:Debug>:-O2>)
endif()

add_library(heapwright_hosted INTERFACE)

# What every target of this build has in common, installed or not.
function(heapwright_common_options target scope)
  target_link_libraries(${target} ${scope} $<BUILD_INTERFACE:heapwright_warnings> $<BUILD_INTERFACE:heapwright_sanitizers>)
  # Sentences of failed checks name files from the root of the project, wherever it was built.
  target_compile_options(${target} ${scope} $<BUILD_INTERFACE:-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=>)
  if(NOT scope STREQUAL "INTERFACE")
    set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  endif()
endfunction()
