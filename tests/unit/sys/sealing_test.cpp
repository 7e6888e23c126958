#include "sys/file.hpp"
#include "sys/sealed.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <string>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

using namespace covey;

namespace {

constexpr std::size_t kPage = 4096;

UniqueFd one_page() {
    UniqueFd memfd{::memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    REQUIRE(memfd.valid());
    REQUIRE(sys::write_all(memfd, std::string(kPage, 'x')));
    return memfd;
}

/// A pipe that holds the page, as anything in the kernel may for a while.
Pipe hold(FdRef memfd) {
    auto pipe = sys::make_pipe();
    REQUIRE(pipe);
    void* const page = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, memfd.get(), 0);
    REQUIRE(page != MAP_FAILED);
    const iovec whole{page, kPage};
    REQUIRE(::vmsplice(pipe.value().write.get(), &whole, 1, 0) == static_cast<ssize_t>(kPage));
    REQUIRE(::munmap(page, kPage) == 0);
    return std::move(pipe).value();
}

}  // namespace

// Seen failing with one fcntl(2) alone: EBUSY after 150 ms, and with it the first pod of a daemon.
TEST_CASE("a copy of a program is sealed although its pages are held for a while") {
    const auto memfd = one_page();
    auto pipe = hold(memfd);
    std::thread later{[&] {
        ::poll(nullptr, 0, 400);
        pipe = {};
    }};
    const auto sealed = sys::seal(memfd);
    later.join();
    CHECK(sealed);
    CHECK(::fcntl(memfd.get(), F_GET_SEALS) ==
          (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}

TEST_CASE("one whose pages are held for ever is an error, not a wait without an end") {
    const auto memfd = one_page();
    const auto pipe = hold(memfd);
    const auto sealed = sys::seal(memfd);
    REQUIRE_FALSE(sealed);
    CHECK(sealed.error() == EBUSY);
}
