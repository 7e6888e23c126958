# The flags of every target of ours live on two INTERFACE targets:
#   covey_options         standard, warnings, hardening, sanitizers
#   covey_static_program  for programs that enter or stay near pods (shim, covey-runtime)
option(COVEY_DAEMON "Build coveyd and the covey command (needs Boost 1.81 and CLI11)" ON)
set(COVEY_SYSTEMD AUTO CACHE STRING
    "Build covey-systemd, for covey-runtime --systemd-cgroup (needs libsystemd): AUTO, ON, OFF")
option(COVEY_TESTS "Build the tests (needs Catch2)" OFF)
option(COVEY_FUZZ "Build the fuzzers (needs clang)" OFF)
option(COVEY_FAULTS "Let COVEY_FAIL_AT make a named step fail; for tests only" OFF)
option(COVEY_UNITY "Compile ten sources at a time, which takes a third of the time; OFF: each alone" ON)
option(COVEY_COVERAGE "gcov counters" OFF)
option(COVEY_WARNINGS_AS_ERRORS "-Werror" OFF)
set(COVEY_SANITIZE "" CACHE STRING "Argument of -fsanitize=, empty for none")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# A program under AddressSanitizer has 1.7 million relocations of the sanitizers' own data, which take half
# of its start; as it is no program for a node, it can do without a random address.
if(COVEY_SANITIZE MATCHES "address")
    set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
else()
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

# Most of what a compiler reads here are headers, the same ones for every file of a target. So what is unnamed
# in one source is seen by others of its target: tests/lint has names told apart.
if(COVEY_UNITY)
    set(CMAKE_UNITY_BUILD ON)
    if(NOT DEFINED CMAKE_UNITY_BUILD_BATCH_SIZE)
        set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)
    endif()
endif()

add_library(covey_options INTERFACE)
target_compile_options(covey_options INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnull-dereference
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual>
    -Wswitch-enum -fstack-protector-strong -fcf-protection
    # g++ takes a source of a unity group for a header, of which it says so of every coroutine over an unnamed type.
    $<$<AND:$<BOOL:${COVEY_UNITY}>,$<COMPILE_LANG_AND_ID:CXX,GNU>>:-Wno-subobject-linkage>
    $<$<BOOL:${COVEY_WARNINGS_AS_ERRORS}>:-Werror>)
target_link_options(covey_options INTERFACE LINKER:-z,relro,-z,now,-z,noexecstack)
target_compile_definitions(covey_options INTERFACE _GLIBCXX_ASSERTIONS
    $<$<BOOL:${COVEY_FAULTS}>:COVEY_FAULTS=1>)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(covey_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
        -ftrivial-auto-var-init=zero
        # An archive gives a program whole units: it keeps of them what it calls.
        -ffunction-sections -fdata-sections
        # g++ 12 reports these inside libstdc++ and fmt when it inlines at -O2 and above.
        -Wno-null-dereference -Wno-error=maybe-uninitialized -Wno-error=restrict)
    target_link_options(covey_options INTERFACE LINKER:--gc-sections)
endif()
if(COVEY_SANITIZE)
    # vptr: to look at an object it opens a pipe, which is wrong where there are no descriptors or a
    # filter refuses it: as a launch is told to be.
    target_compile_options(covey_options INTERFACE -fsanitize=${COVEY_SANITIZE} -fno-sanitize=vptr
        -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-null-dereference -Wno-error=maybe-uninitialized -Wno-error=restrict)
    target_link_options(covey_options INTERFACE -fsanitize=${COVEY_SANITIZE})
endif()
if(COVEY_COVERAGE)
    target_compile_options(covey_options INTERFACE --coverage)
    target_link_options(covey_options INTERFACE --coverage)
endif()

# In sanitizer builds these programs are dynamic: the sanitizers have no static runtime.
add_library(covey_static_program INTERFACE)
if(COVEY_SANITIZE MATCHES "address")
    target_link_options(covey_static_program INTERFACE -no-pie)
elseif(COVEY_SANITIZE OR COVEY_COVERAGE)
    target_link_options(covey_static_program INTERFACE -pie)
else()
    target_link_options(covey_static_program INTERFACE -static-pie)
endif()

include(CheckPIESupported)
check_pie_supported()
find_program(COVEY_CCACHE ccache)
if(COVEY_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${COVEY_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${COVEY_CCACHE})
endif()
