# Every dependency by name, from the distribution. Nothing is downloaded at configure time.
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt 9 REQUIRED)
# Debian has no libfmt.a, and programs that enter or stay near pods are static: an archive of our own.
add_library(covey_fmt STATIC ${PROJECT_SOURCE_DIR}/lib/base/fmt_compiled.cpp)
add_library(covey::fmt ALIAS covey_fmt)
target_include_directories(covey_fmt SYSTEM PUBLIC
    $<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>)
target_link_libraries(covey_fmt PRIVATE covey_options)
# The json class itself is compiled once, too.
add_library(covey_json STATIC ${PROJECT_SOURCE_DIR}/lib/base/json_compiled.cpp)
add_library(covey::json ALIAS covey_json)
target_include_directories(covey_json PUBLIC ${PROJECT_SOURCE_DIR}/lib)
target_link_libraries(covey_json PRIVATE covey_options PUBLIC nlohmann_json::nlohmann_json)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp>=2.5)
pkg_check_modules(cap REQUIRED IMPORTED_TARGET libcap>=2.60)
# The systemd cgroup driver is a program of its own, so nothing else needs libsystemd.
if(COVEY_SYSTEMD STREQUAL "AUTO")
    pkg_check_modules(systemd QUIET IMPORTED_TARGET libsystemd>=247)
    # Quoted: without a value the variable would be unset, and the cached AUTO be seen.
    set(COVEY_SYSTEMD "${systemd_FOUND}")
elseif(COVEY_SYSTEMD)
    pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd>=247)
endif()
if(COVEY_SYSTEMD)
    message(STATUS "covey-systemd is built, with libsystemd ${systemd_VERSION}")
else()
    message(STATUS "covey-systemd is not built, so covey-runtime will refuse --systemd-cgroup: "
        "no libsystemd (Debian: libsystemd-dev), or COVEY_SYSTEMD=OFF")
endif()
# libseccomp and libcap as archives: libcovey's programs are static.
find_library(COVEY_LIBSECCOMP_A libseccomp.a REQUIRED)
find_library(COVEY_LIBCAP_A libcap.a REQUIRED)
if(COVEY_DAEMON)
    find_package(Boost 1.81 REQUIRED)  # Debian 12: libboost1.81-dev, not the default 1.74
    find_package(CLI11 2.1 REQUIRED)
    find_package(Threads REQUIRED)
endif()
if(COVEY_TESTS)
    find_package(Catch2 3 QUIET)
    if(NOT Catch2_FOUND)
        find_package(Catch2 2.13 REQUIRED)
    endif()
endif()
# The distribution's own python, first in the PATH or not: it has the packages that install-deps.sh
# installs. find_package(Python3) is content with it.
if(COVEY_DAEMON OR COVEY_TESTS)
    find_program(COVEY_PYTHON python3 HINTS /usr/bin REQUIRED)
    set(Python3_EXECUTABLE ${COVEY_PYTHON})
endif()
