# What an installation has: libcovey.a, the public headers, CoveyConfig.cmake and covey.pc (both find
# their prefix by where they stand, so a tree may be moved), and the programs.
include(CMakePackageConfigHelpers)

# The façade and the floors below it in one archive: consumers name one library and need nothing else,
# as json is header-only, fmt is in it, and no public header shows them. plan and launch are not in it: the
# forking into pods is covey-shim's.
add_library(covey_archive STATIC)
foreach(folder base sys spec cgroup store core fmt json)
    target_sources(covey_archive PRIVATE $<TARGET_OBJECTS:covey_${folder}>)
endforeach()
target_sources(covey_archive PUBLIC FILE_SET HEADERS
    BASE_DIRS ${PROJECT_SOURCE_DIR}/lib/include ${PROJECT_BINARY_DIR}/include
    FILES
        ${PROJECT_SOURCE_DIR}/lib/include/covey/container.hpp
        ${PROJECT_SOURCE_DIR}/lib/include/covey/error.hpp
        ${PROJECT_SOURCE_DIR}/lib/include/covey/options.hpp
        ${PROJECT_SOURCE_DIR}/lib/include/covey/sandbox.hpp
        ${PROJECT_BINARY_DIR}/include/covey/version.hpp)
target_compile_features(covey_archive INTERFACE cxx_std_20)
set_target_properties(covey_archive PROPERTIES
    LINKER_LANGUAGE CXX OUTPUT_NAME covey EXPORT_NAME covey)
set(covey_pc_flags "")
if(COVEY_SANITIZE)
    target_link_options(covey_archive INTERFACE -fsanitize=${COVEY_SANITIZE})
    string(APPEND covey_pc_flags " -fsanitize=${COVEY_SANITIZE}")
endif()
if(COVEY_COVERAGE)
    target_link_options(covey_archive INTERFACE --coverage)
    string(APPEND covey_pc_flags " --coverage")
endif()

set(covey_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Covey)
install(TARGETS covey_archive EXPORT CoveyTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT CoveyTargets NAMESPACE Covey:: DESTINATION ${covey_cmake_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/CoveyConfig.cmake.in
    ${PROJECT_BINARY_DIR}/CoveyConfig.cmake
    INSTALL_DESTINATION ${covey_cmake_dir}
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break (docs/API.md).
write_basic_package_version_file(${PROJECT_BINARY_DIR}/CoveyConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/CoveyConfig.cmake ${PROJECT_BINARY_DIR}/CoveyConfigVersion.cmake
    DESTINATION ${covey_cmake_dir})

# ${pcfiledir} is where pkg-config found the file: the way back to the prefix is as long as libdir.
set(covey_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH covey_pc_up /prefix/${covey_pc_dir} /prefix)
string(REGEX REPLACE "/$" "" covey_pc_up ${covey_pc_up})
configure_file(${CMAKE_CURRENT_LIST_DIR}/covey.pc.in ${PROJECT_BINARY_DIR}/covey.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/covey.pc DESTINATION ${covey_pc_dir})

foreach(program coveyd)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
    endif()
endforeach()
foreach(program covey covey-runtime)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endforeach()
foreach(program covey-shim covey-pause covey-systemd)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/covey)
    endif()
endforeach()
