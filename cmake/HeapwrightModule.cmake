# heapwright_module(): the one place where a folder of src/heapwright states its headers, sources, discipline and
# dependencies. tools/check_layers.py reads the same call, so that build and rule cannot drift apart.

# Adds each named folder below `parent`, in this order.
function(heapwright_add_folders parent)
  foreach(folder IN LISTS ARGN)
    add_subdirectory(${parent}/${folder})
  endforeach()
endfunction()

# heapwright_target_name(trace/record out): heapwright_trace_record
function(heapwright_target_name path out)
  string(REPLACE "/" "_" name ${path})
  set(${out} heapwright_${name} PARENT_SCOPE)
endfunction()

# Turns module paths into target names. Order is enforced here, because CMake itself accepts a target that comes later.
function(heapwright_resolve_modules who modules out)
  set(targets)
  foreach(path IN LISTS modules)
    heapwright_target_name(${path} target)
    if(NOT TARGET ${target})
      message(FATAL_ERROR "${who} depends on '${path}', which does not stand below it")
    endif()
    list(APPEND targets ${target})
  endforeach()
  set(${out} ${targets} PARENT_SCOPE)
endfunction()

# Which export set a module belongs to: `library` has no third-party library anywhere below it, `observer` has.
# study/* is the inside of the program and is not installed.
function(heapwright_export_set path depends libraries out)
  set(kind library)
  if(libraries)
    set(kind observer)
  endif()
  foreach(below IN LISTS depends)
    heapwright_target_name(${below} target)
    get_target_property(below_kind ${target} HEAPWRIGHT_EXPORT_SET)
    if(below_kind STREQUAL "observer")
      set(kind observer)
    endif()
  endforeach()
  if(path MATCHES "^study/")
    set(kind none)
  endif()
  set(${out} ${kind} PARENT_SCOPE)
endfunction()

# heapwright_module(<path below src/heapwright> DISCIPLINE freestanding|in-process|hosted
#                   HEADERS ... [SOURCES ...] [DEPENDS modules ...] [LIBRARIES third-party ...])
function(heapwright_module path)
  cmake_parse_arguments(PARSE_ARGV 1 module "" "DISCIPLINE" "HEADERS;SOURCES;DEPENDS;LIBRARIES")
  if(module_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "heapwright_module(${path}): unknown words '${module_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT module_DISCIPLINE MATCHES "^(freestanding|in-process|hosted)$")
    message(FATAL_ERROR "heapwright_module(${path}): DISCIPLINE must be freestanding, in-process or hosted")
  endif()
  if(NOT CMAKE_CURRENT_SOURCE_DIR STREQUAL "${PROJECT_SOURCE_DIR}/src/heapwright/${path}")
    message(FATAL_ERROR "heapwright_module(${path}) is called in ${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  heapwright_resolve_modules("module ${path}" "${module_DEPENDS}" below)

  heapwright_target_name(${path} target)
  string(REPLACE "heapwright_" "" short ${target})
  if(module_SOURCES)
    set(scope PUBLIC)
    add_library(${target} STATIC ${module_SOURCES})
    heapwright_common_options(${target} PRIVATE)
    if(module_DISCIPLINE STREQUAL "hosted")
      target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:heapwright_hosted>)
    else()
      target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:heapwright_in_process>)
    endif()
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(heapwright::${short} ALIAS ${target})

  # X_impl.hpp holds bodies of what X.hpp declares: included at its end, installed beside it, and no header by itself.
  set(bodies ${module_HEADERS})
  list(FILTER bodies INCLUDE REGEX "_impl\\.hpp$")
  list(FILTER module_HEADERS EXCLUDE REGEX "_impl\\.hpp$")
  target_sources(${target} ${scope}
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${module_HEADERS}
    FILE_SET bodies TYPE HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${bodies})
  target_compile_features(${target} ${scope} cxx_std_23)
  target_link_libraries(${target} ${scope} ${below} ${module_LIBRARIES})
  if(HEAPWRIGHT_AUDIT)
    target_compile_definitions(${target} ${scope} HEAPWRIGHT_AUDIT_ENABLED=1)
  endif()

  heapwright_export_set(${path} "${module_DEPENDS}" "${module_LIBRARIES}" kind)
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${short}
    VERIFY_INTERFACE_HEADER_SETS ON
    INTERFACE_HEADER_SETS_TO_VERIFY HEADERS
    HEAPWRIGHT_EXPORT_SET ${kind}
    HEAPWRIGHT_DISCIPLINE ${module_DISCIPLINE})
  set_property(GLOBAL APPEND PROPERTY HEAPWRIGHT_MODULES ${path})
endfunction()
