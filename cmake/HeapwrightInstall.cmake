# Installs the library so that find_package(heapwright) and pkg-config find it. Two export sets: `library` needs nothing
# but a compiler; `observer` (recording and reading traces) also needs zstd, and is offered where zstd is found.
include(CMakePackageConfigHelpers)
if(HEAPWRIGHT_APPS)
  # For `source` in GDB; the files find each other by their folder.
  install(FILES tools/gdb/heapwright_gdb.py tools/gdb/heapwright_block.py tools/gdb/heapwright_figures.py tools/gdb/heapwright_hands.py tools/gdb/heapwright_memory.py tools/gdb/heapwright_mesh.py tools/gdb/heapwright_mixed.py tools/gdb/heapwright_places.py
    DESTINATION ${CMAKE_INSTALL_DATADIR}/heapwright/gdb COMPONENT programs)
endif()
set(heapwright_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/heapwright)

# heapwright::heapwright is everything that stands without third-party libraries.
add_library(heapwright INTERFACE)
add_library(heapwright::heapwright ALIAS heapwright)
set(heapwright_archives)
get_property(modules GLOBAL PROPERTY HEAPWRIGHT_MODULES)
foreach(path IN LISTS modules)
  heapwright_target_name(${path} target)
  get_target_property(kind ${target} HEAPWRIGHT_EXPORT_SET)
  if(kind STREQUAL "none")
    continue()
  endif()
  install(TARGETS ${target} EXPORT heapwright-${kind} COMPONENT library
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILE_SET bodies DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  set_property(GLOBAL APPEND PROPERTY HEAPWRIGHT_EXPORTS_${kind} ${target})
  if(kind STREQUAL "library")
    target_link_libraries(heapwright INTERFACE ${target})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "STATIC_LIBRARY")
      list(PREPEND heapwright_archives -l${target})   # a static library comes before what it stands on
    endif()
  endif()
endforeach()

# The front doors: headers at the root of src/heapwright, which only include.
target_compile_features(heapwright INTERFACE cxx_std_23)
if(HEAPWRIGHT_FRONT_DOORS)
  target_sources(heapwright INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${HEAPWRIGHT_FRONT_DOORS})
  set_target_properties(heapwright PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  install(TARGETS heapwright EXPORT heapwright-library COMPONENT library FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
else()
  install(TARGETS heapwright EXPORT heapwright-library COMPONENT library)
endif()

install(FILES ${PROJECT_SOURCE_DIR}/src/heapwright/malloc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heapwright COMPONENT library)

install(EXPORT heapwright-library NAMESPACE heapwright:: FILE heapwrightTargets.cmake DESTINATION ${heapwright_package_dir} COMPONENT library)
get_property(observer GLOBAL PROPERTY HEAPWRIGHT_EXPORTS_observer)
if(observer)
  install(EXPORT heapwright-observer NAMESPACE heapwright:: FILE heapwrightObserverTargets.cmake DESTINATION ${heapwright_package_dir} COMPONENT library)
endif()
configure_package_config_file(cmake/heapwrightConfig.cmake.in heapwrightConfig.cmake INSTALL_DESTINATION ${heapwright_package_dir})
write_basic_package_version_file(heapwrightConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/heapwrightConfig.cmake ${PROJECT_BINARY_DIR}/heapwrightConfigVersion.cmake
  DESTINATION ${heapwright_package_dir} COMPONENT library)

list(JOIN heapwright_archives " " heapwright_pc_libs)
# From the folder of the .pc files, so that they are right wherever the library is installed.
file(RELATIVE_PATH heapwright_pc_up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" heapwright_pc_up "${heapwright_pc_up}")
configure_file(cmake/heapwright.pc.in heapwright.pc @ONLY)
configure_file(cmake/heapwright-malloc.pc.in heapwright-malloc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/heapwright.pc ${PROJECT_BINARY_DIR}/heapwright-malloc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
