# heapwright_program() and heapwright_preload(): the executables and the shared libraries under apps/.
# tools/check_layers.py reads these calls as it reads heapwright_module().

# heapwright_program(<path> NAME <file name in bin> SOURCES ... [DEPENDS modules ...] [LIBRARIES third-party ...])
function(heapwright_program path)
  cmake_parse_arguments(PARSE_ARGV 1 program "" "NAME" "SOURCES;HEADERS;DEPENDS;LIBRARIES")
  heapwright_resolve_modules("program ${path}" "${program_DEPENDS}" below)
  heapwright_target_name(${path} target)
  add_executable(${target} ${program_SOURCES})
  heapwright_common_options(${target} PRIVATE)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program_NAME})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${below} ${program_LIBRARIES})
  install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
endfunction()

# heapwright_preload(<path> NAME <lib NAME.so> SOURCES ... EXPORTS exports.map UNDEFINED allowed.txt [DEPENDS modules ...] [LIBRARIES ...]
#   [LINK_AS <name>])
# Makes lib<NAME>.so in lib/ and a rules test that compares its symbols with EXPORTS and UNDEFINED. With LINK_AS, programs
# can also link it, as heapwright::<name>.
# Sanitizer builds have none: an instrumented library cannot be preloaded into a plain program.
function(heapwright_preload path)
  cmake_parse_arguments(PARSE_ARGV 1 preload "" "NAME;EXPORTS;UNDEFINED;LINK_AS" "SOURCES;HEADERS;DEPENDS;LIBRARIES")
  if(HEAPWRIGHT_SANITIZE)
    return()
  endif()
  heapwright_resolve_modules("preload library ${path}" "${preload_DEPENDS}" below)
  heapwright_target_name(${path} target)
  set(map ${CMAKE_CURRENT_SOURCE_DIR}/${preload_EXPORTS})
  set(kind MODULE)
  if(preload_LINK_AS)
    set(kind SHARED)
  endif()
  add_library(${target} ${kind} ${preload_SOURCES})
  heapwright_common_options(${target} PRIVATE)
  # Linked as C: the C++ runtime must not become a dependency of every program that is served.
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${preload_NAME} LINKER_LANGUAGE C LINK_DEPENDS ${map})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:heapwright_in_process> ${below} ${preload_LIBRARIES})
  target_link_options(${target} PRIVATE -static-libgcc
    LINKER:--version-script=${map} LINKER:-z,defs LINKER:-z,now LINKER:-z,relro LINKER:--exclude-libs,ALL LINKER:--gc-sections LINKER:--as-needed)
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT programs)
  if(preload_LINK_AS)
    install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
    # Also where the program itself asks nothing of it: its libraries do. heapwrightConfig.cmake.in says the same.
    add_library(heapwright_${preload_LINK_AS} INTERFACE)
    add_library(heapwright::${preload_LINK_AS} ALIAS heapwright_${preload_LINK_AS})
    target_include_directories(heapwright_${preload_LINK_AS} INTERFACE ${PROJECT_SOURCE_DIR}/src)  # heapwright/malloc.h
    target_link_libraries(heapwright_${preload_LINK_AS} INTERFACE -Wl,--push-state,--no-as-needed ${target} -Wl,--pop-state)
  endif()
  if(HEAPWRIGHT_TESTS)
    add_test(NAME rules/symbols/${preload_NAME} COMMAND ${HEAPWRIGHT_PYTHON} ${PROJECT_SOURCE_DIR}/tools/check_symbols.py
      $<TARGET_FILE:${target}> ${map} ${CMAKE_CURRENT_SOURCE_DIR}/${preload_UNDEFINED})
    set_tests_properties(rules/symbols/${preload_NAME} PROPERTIES LABELS rules)
  endif()
endfunction()

# heapwright_order_sections(<target> <script>): lays the target's sections out as the script says, where the linker is GNU ld; others
# read such scripts in place of their own.
function(heapwright_order_sections target script)
  if(NOT DEFINED HEAPWRIGHT_LINKER_IS_GNU)
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} ${CMAKE_SHARED_LINKER_FLAGS} -Wl,--version OUTPUT_VARIABLE version ERROR_QUIET)
    string(FIND "${version}" "GNU ld" place)
    if(place EQUAL -1)
      set(HEAPWRIGHT_LINKER_IS_GNU OFF CACHE INTERNAL "the linker is GNU ld")
    else()
      set(HEAPWRIGHT_LINKER_IS_GNU ON CACHE INTERNAL "the linker is GNU ld")
    endif()
  endif()
  if(HEAPWRIGHT_LINKER_IS_GNU)
    target_link_options(${target} PRIVATE LINKER:-T,${script})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${script})
  endif()
endfunction()
