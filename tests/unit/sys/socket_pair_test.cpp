#include "sys/socket.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace covey;

namespace {

/// What the kernel lets whoever holds an end have of its maker: a descriptor of his, or -1.
int descriptor_of_maker(FdRef end) {
    constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD
    int maker = -1;
    socklen_t size = sizeof maker;
    if (::getsockopt(end.get(), SOL_SOCKET, kPeerPidfd, &maker, &size) < 0) return -1;
    const UniqueFd pidfd{maker};
    return static_cast<int>(::syscall(SYS_pidfd_getfd, maker, end.get(), 0));
}

}  // namespace

// Seen failing with socketpair(2) called by this process itself.
TEST_CASE("whoever holds an end of a pair finds nobody who made it") {
    auto one = sys::seqpacket_pair();
    REQUIRE(one);
    auto two = sys::two_seqpacket_pairs();
    REQUIRE(two);
    for (const auto* pair : {&one.value(), &two.value()[0], &two.value()[1]})
        for (const auto end : {pair->parent.ref(), pair->child.ref()}) {
            CHECK(descriptor_of_maker(end) == -1);
            ucred who{};
            socklen_t size = sizeof who;
            REQUIRE(::getsockopt(end.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0);
            CHECK(who.pid != ::getpid());
        }
    REQUIRE(sys::send_packet(two.value()[1].parent, "word"));
    const auto packet = sys::receive_packet(two.value()[1].child);
    REQUIRE(packet);
    CHECK(packet.value().data == "word");
    CHECK(::fcntl(one.value().parent.get(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("descriptors that nobody has a use for are refused at their sender") {
    auto pair = sys::seqpacket_pair().or_throw("socketpair");
    const auto refused = sys::refuse_descriptors(pair.parent);
    if (!refused && refused.error() == ENOPROTOOPT) {
        std::puts("SKIP: SO_PASSRIGHTS needs Linux 6.16");
        return;
    }
    const std::array fds{pair.child.ref()};
    const auto sent = sys::send_packet(pair.child, "words", fds);
    REQUIRE_FALSE(sent);
    CHECK(sent.error() == EPERM);
    REQUIRE(sys::send_packet(pair.child, "words"));
    CHECK(sys::receive_packet(pair.parent).value().data == "words");
}
