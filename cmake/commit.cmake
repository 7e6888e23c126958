# COVEY_COMMIT: what --version says the programs were built from, found when CMake runs. "unknown"
# when the sources are no git tree of their own, as from a tarball.
set(COVEY_COMMIT unknown)
find_package(Git QUIET)
if(Git_FOUND)
    # The empty prefix is the tree's top: a tarball unpacked inside another tree has not its commit.
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${PROJECT_SOURCE_DIR} rev-parse --show-prefix
        OUTPUT_VARIABLE covey_prefix RESULT_VARIABLE covey_git OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${PROJECT_SOURCE_DIR} rev-parse --short=7 HEAD
        OUTPUT_VARIABLE covey_head RESULT_VARIABLE covey_git_head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(covey_git EQUAL 0 AND covey_git_head EQUAL 0 AND covey_prefix STREQUAL "")
        set(COVEY_COMMIT ${covey_head})
    endif()
endif()
