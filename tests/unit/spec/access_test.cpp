#include "spec/access.hpp"

#include "catch.hpp"

using namespace covey::spec;

TEST_CASE("access is written as three words and read back") {
    for (const auto& access : {kOpen, kPrivate, kObserver})
        CHECK(access_of_words(access_words(access)) == access);
    CHECK(access_words(kObserver) == std::map<std::string, std::string>{
                                         {"see", "pod"}, {"signal", "own"}, {"inspect", "own"}});
}

TEST_CASE("words that are not the three of access are refused") {
    CHECK_FALSE(access_of_words({}));
    CHECK_FALSE(access_of_words({{"see", "pod"}, {"signal", "own"}}));
    CHECK_FALSE(access_of_words({{"see", "pod"}, {"signal", "own"}, {"inspect", "all"}}));
    CHECK_FALSE(
        access_of_words({{"see", "pod"}, {"signal", "own"}, {"inspect", "own"}, {"x", "own"}}));
}
