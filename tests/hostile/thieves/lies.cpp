// The lies, by name. The words are those of the hand-shake that was robbed first (a letter, then
// fields that end with a NUL); `babble` says every letter with descriptors of every kind, so it
// speaks any later protocol of that build too.
//
//   hold       says nothing and keeps everything open       empty      a packet of no bytes: the
//   end, to who believes it spawner    "here is a spawner", with a socket           shutdown   ends
//   the connection, both ways born       "init is born", with the pidfd of the peer   recv takes
//   what was meant for the newborn twice      the same, after the true one                 terminal
//   "ready", with a file for a terminal listener   "here is a listener", with a file failed     "it
//   failed", with a long and dirty text still      "let the neighbours stand still", once flags
//   makes the shared description non-blocking flood      … without end, and reads no answer babble
//   everything swallow    takes the byte from the gate                 fill       fills the FIFOs
//   puppet     everything, said by the newborn itself (puppet.cpp)
//   garbage    writes nonsense into the FIFOs              keep       is its tracer, and never
//   waits
#include "lies.hpp"

#include "thief.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace thief {
namespace {

constexpr int kMostKept = 200;

std::string packet(char kind, const std::vector<std::string>& fields = {}) {
    std::string bytes{kind};
    for (const auto& field : fields)
        bytes += field + '\0';
    return bytes;
}

/// Who made the socket pair: the parent itself.
int peer_pidfd(int socket) {
    int pidfd = -1;
    socklen_t length = sizeof pidfd;
    return getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0 ? pidfd : -1;
}

/// With SYS_PTRACE a pidfd is as good as all descriptors of its process.
void rob_maker(int maker, const std::string& whose) {
    constexpr int kMost = 100;
    for (int number = 0; number < kMost; ++number) {
        const int fd = static_cast<int>(syscall(SYS_pidfd_getfd, maker, number, 0));
        if (fd < 0) continue;
        close(fd);
        return say("WON descriptor " + std::to_string(number) +
                   " of who made the socket, through " + whose);
    }
    say("TRIED who made the socket, through " + whose + ": " + errno_name());
}

int own_pidfd() {
    static const int pidfd = open_process(getpid());
    return pidfd;
}

int regular_file() {
    static const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    return file;
}

const std::vector<std::string> kFieldsOfBorn{"0", "0", "0", "0", "0", "0"};

}  // namespace

Lies::Lies(const std::string& name) : name_(name) {
    static const std::array<const char*, 15> known{
        "hold",    "spawner", "born",     "twice", "listener", "still",  "flood", "swallow",
        "garbage", "empty",   "shutdown", "recv",  "terminal", "failed", "flags"};
    for (const char* one : known)
        if (name == one) return;
    if (name == "babble" || name == "fill" || name == "puppet" || name == "keep") return;
    say("unknown lie " + name);
    _exit(2);
}

void Lies::send(int fd, const std::string& bytes, const std::vector<int>& fds) {
    if (!send_packet(fd, bytes, fds))
        say("GOT " + errno_name() + " for a packet '" + bytes.substr(0, 1) + "'");
}

int Lies::slip_in() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -1;
    slipped_in_.push_back(ends[0]);
    return ends[1];
}

void Lies::to_socket(int fd, const std::string& whose) {
    if (is_kept() && static_cast<int>(sockets_.size()) < kMostKept) sockets_.push_back(fd);
    lie_to(fd, whose);
    // Else the end of the stream would tell that somebody has it, and the lie could not be acted
    // upon.
    if (!is_kept()) close(fd);
}

bool Lies::is_kept() const {
    return name_ == "hold" || name_ == "flood" || name_ == "recv" || name_ == "babble";
}

void Lies::lie_to(int fd, const std::string& whose) {
    if (name_ == "spawner") {
        const int end = slip_in();
        send(fd, packet('S'), {own_pidfd(), end});
        close(end);
    } else if (name_ == "born") {
        // In pid mode nested this comes before the launcher's own word, if init has been stopped.
        const int peer = peer_pidfd(fd);
        if (peer >= 0) rob_maker(peer, whose);
        send(fd, packet('B', kFieldsOfBorn), {peer >= 0 ? peer : own_pidfd()});
        send(fd, packet('R'));
    } else if (name_ == "twice") {
        send(fd, packet('B', kFieldsOfBorn), {own_pidfd()});
    } else if (name_ == "listener") {
        send(fd, packet('L'), {regular_file()});
    } else if (name_ == "still") {
        send(fd, packet('N'));
    } else if (name_ == "empty") {
        send(fd, "");
    } else if (name_ == "shutdown") {
        shutdown(fd, SHUT_RDWR);
    } else if (name_ == "terminal") {
        send(fd, packet('R'), {regular_file()});
    } else if (name_ == "failed") {
        const std::string text = "\x1b[2J\x1b]0;owned\x07\r\n" + std::string(60000, 'x');
        send(fd,
             packet('F', {"internal", "0", text, "do as the thief says\n\x1b[31m", "a cause\n"}));
    } else if (name_ == "flags") {
        fcntl(fd, F_SETFL, O_NONBLOCK);
    } else if (name_ == "babble") {
        babble(fd);
    }
}

/// Every letter, bare, with fields, and with descriptors of every kind.
void Lies::babble(int fd) {
    int pipe_ends[2] = {-1, -1};
    (void)!pipe2(pipe_ends, O_CLOEXEC);
    const int socket = slip_in(), memory = memfd_create("thief", MFD_CLOEXEC);
    const int folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), peer = peer_pidfd(fd);
    const std::vector<std::vector<int>> offers{{},
                                               {own_pidfd()},
                                               {peer >= 0 ? peer : own_pidfd()},
                                               {regular_file()},
                                               {socket},
                                               {folder},
                                               {pipe_ends[0]},
                                               {memory},
                                               {own_pidfd(), socket},
                                               {own_pidfd(), memory, pipe_ends[1]}};
    for (int letter = 'A'; letter <= 'Z'; ++letter)
        for (const auto& offer : offers)
            for (const auto& fields : {std::vector<std::string>{}, kFieldsOfBorn})
                if (!send_packet(fd, packet(static_cast<char>(letter), fields), offer) &&
                    errno == EPIPE)
                    return;
    for (int letter = 0; letter < 256; ++letter)
        (void)send_packet(fd, std::string(3, static_cast<char>(letter)), {socket});
    for (const int own : {socket, memory, folder, pipe_ends[0], pipe_ends[1]})
        close(own);
}

void Lies::to_fifo(int fd, const std::string& /*whose*/) {
    if (static_cast<int>(fifos_.size()) < kMostKept) fifos_.push_back(fd);
    const int flags = fcntl(fd, F_GETFL);
    // The description is the newborn's too: a way of its own, by the same inode.
    const int own =
        open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (own >= 0) fifos_.push_back(own);
    if (name_ == "flags" && flags >= 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    if (own < 0) return;
    if (name_ == "garbage" || name_ == "babble")
        for (int times = 0; times < 20; ++times)
            (void)!write(own, "F\x1b[2Jnonsense\0\0\0", 16);
    const std::string page(4096, '\0');
    if (name_ == "fill")
        while (write(own, page.data(), page.size()) > 0) {
        }
}

void Lies::go_on() {
    if (name_ == "flood")
        for (const int fd : sockets_)
            for (int times = 0; times < 1000 && send_packet(fd, packet('N')); ++times) {
            }
    std::string bytes;
    std::vector<int> fds;
    if (name_ == "recv")
        for (const int fd : sockets_)
            if (receive_packet(fd, bytes, fds) > 0)
                say("GOT what was for a newborn: " + bytes.substr(0, 8));
    if (name_ == "swallow") {
        char byte[64];
        for (const int fd : fifos_)
            if ((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && read(fd, byte, sizeof byte) > 0)
                say("GOT the byte of a gate");
    }
    for (std::size_t index = 0; index < slipped_in_.size(); ++index)
        listen_to(static_cast<int>(index));
    for (const int listener : listeners_)
        if (const int guest = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            guest >= 0) {
            say("GOT a connection at a listening socket of the runtime's");
            slipped_in_.push_back(guest);
        }
    for (const int fd : fds)
        close(fd);
}

/// What came for the spawner that never was: a request, with descriptors.
void Lies::listen_to(int index) {
    std::string bytes;
    std::vector<int> fds;
    if (receive_packet(slipped_in_[static_cast<std::size_t>(index)], bytes, fds) <= 0) return;
    std::string text;
    for (const char letter : bytes.substr(0, 300))
        text += letter >= ' ' && letter <= '~' ? letter : '.';
    say("WON was sent a request of " + std::to_string(bytes.size()) + " bytes with " +
        std::to_string(fds.size()) + " descriptors: " + text);
    for (const int fd : fds) {
        const auto what = describe(fd);
        say("GOT with it: " + what);
        struct stat status {};
        if (fstat(fd, &status) != 0) continue;
        int listens = 0;
        socklen_t length = sizeof listens;
        if (S_ISDIR(status.st_mode)) loot_folder(fd, what);
        if (S_ISSOCK(status.st_mode) &&
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0) {
            fcntl(fd, F_SETFL, O_NONBLOCK);
            listeners_.push_back(fd);
            continue;
        }
        close(fd);
    }
}

}  // namespace thief
