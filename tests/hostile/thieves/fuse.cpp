// With /dev/fuse, which a bundle may grant: a file system of the container's own that does not
// answer. `fuse-program`: a child whose program lies there. `fuse-deadlock`: the only process that
// could answer waits for its own answer, so no signal ends it.
#include "kinds.hpp"

#include <cstring>
#include <thread>

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {
namespace {

constexpr const char* kPlace = "/tmp/fuse";
constexpr std::uint64_t kFile = 2;

struct Request {
    fuse_in_header head;
    char body[1U << 17U];
};

template <typename Body>
void answer(int device, std::uint64_t unique, const Body& body) {
    struct {
        fuse_out_header head;
        Body body;
    } out{};
    out.head.len = static_cast<std::uint32_t>(sizeof out.head + sizeof body);
    out.head.unique = unique;
    out.body = body;
    (void)!write(device, &out, out.head.len);
}

void refuse(int device, std::uint64_t unique, int error) {
    fuse_out_header head{};
    head.len = sizeof head;
    head.unique = unique;
    head.error = -error;
    (void)!write(device, &head, sizeof head);
}

fuse_attr attributes(std::uint64_t node, const std::string& content) {
    fuse_attr attr{};
    attr.ino = node;
    attr.mode = node == kFile ? S_IFREG | 0755 : S_IFDIR | 0755;
    attr.nlink = 1;
    attr.size = node == kFile ? content.size() : 0;
    attr.blksize = 4096;
    return attr;
}

/// One request; false when this file system answers no more: after the program has been read.
bool serve(int device, const std::string& content, bool is_silent) {
    static Request request;
    const auto got = read(device, &request, sizeof request);
    if (got <= 0) return false;
    const auto unique = request.head.unique;
    switch (request.head.opcode) {
        case FUSE_INIT: {
            fuse_init_out init{};
            init.major = FUSE_KERNEL_VERSION;
            init.minor = FUSE_KERNEL_MINOR_VERSION;
            init.max_write = 65536;
            answer(device, unique, init);
            return true;
        }
        case FUSE_LOOKUP: {
            fuse_entry_out entry{};
            entry.nodeid = kFile;
            entry.attr = attributes(kFile, content);
            answer(device, unique, entry);
            return true;
        }
        case FUSE_GETATTR: {
            if (is_silent) return true;  // never: whoever asks waits
            fuse_attr_out out{};
            out.attr = attributes(request.head.nodeid, content);
            answer(device, unique, out);
            return true;
        }
        case FUSE_OPEN: {
            fuse_open_out out{};
            out.open_flags = FOPEN_KEEP_CACHE;
            answer(device, unique, out);
            return true;
        }
        case FUSE_READ: {
            fuse_read_in in{};
            std::memcpy(&in, request.body, sizeof in);
            struct {
                fuse_out_header head;
                char data[1U << 17U];
            } static out;
            const auto from = std::min<std::uint64_t>(in.offset, content.size());
            const auto size = std::min<std::uint64_t>(in.size, content.size() - from);
            out.head.len = static_cast<std::uint32_t>(sizeof out.head + size);
            out.head.error = 0;
            out.head.unique = unique;
            std::memcpy(out.data, content.data() + from, size);
            (void)!write(device, &out, out.head.len);
            return true;
        }
        case FUSE_WRITE:
            return true;  // never
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
            return true;
        default:
            refuse(device, unique, ENOSYS);
            return true;
    }
}

int mount_fuse() {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return -1;
    (void)overwrite("/proc/self/setgroups", "deny");
    (void)overwrite("/proc/self/uid_map", "0 0 1");
    (void)overwrite("/proc/self/gid_map", "0 0 1");
    mkdir(kPlace, 0755);
    const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) return -1;
    const auto options = "fd=" + std::to_string(device) + ",rootmode=40755,user_id=0,group_id=0";
    if (mount("thief", kPlace, "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) return -1;
    return device;
}

}  // namespace

int fuse_program(const Arguments&) {
    const int device = mount_fuse();
    if (device < 0) {
        say("TRIED fuse " + errno_name());
        return 1;
    }
    const auto content = slurp("/proc/self/exe");
    // A sibling, child of whoever is the parent of the main process: as if it were a launcher.
    const auto child = static_cast<pid_t>(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
        const auto path = std::string{kPlace} + "/covey";
        execl(path.c_str(), path.c_str(), "stay", nullptr);
        _exit(1);
    }
    const auto running = [&] { return name_of(child) == "covey"; };
    std::thread([&] {
        while (!running())
            wait_a_moment(10);
        say("GOT fuse");
    }).detach();
    while (serve(device, content, running())) {
    }
    rest();
}

int fuse_deadlock(const Arguments&) {
    const int device = mount_fuse();
    if (device < 0) {
        say("TRIED fuse " + errno_name());
        return 1;
    }
    std::thread([] {
        struct stat status {};
        (void)stat((std::string{kPlace} + "/file").c_str(), &status);
    }).detach();
    serve(device, "", false);  // FUSE_INIT
    static Request request;
    (void)!read(device, &request, sizeof request);  // taken, and never answered
    say("GOT deadlock");
    rest();
}

/// Its own address space stands still: one thread writes to a page that is being written back to a
/// server that does not answer, another one waits for it with the lock of the address space, and so
/// does whoever reads its arguments.
int fuse_memory(const Arguments&) {
    const int device = mount_fuse();
    if (device < 0) {
        say("TRIED fuse " + errno_name());
        return 1;
    }
    const std::string content(4096, 'm');
    if (fork() != 0)
        while (serve(device, content, false)) {
        }
    const int file = open((std::string{kPlace} + "/file").c_str(), O_RDWR | O_CLOEXEC);
    auto* const page =
        static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    if (file < 0 || page == MAP_FAILED) {
        say("TRIED fuse memory " + errno_name());
        return 1;
    }
    *page = 'd';
    (void)sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
    std::thread([=] { *const_cast<volatile char*>(page) = 'e'; }).detach();
    wait_a_moment(200);
    std::thread([=] { (void)mprotect(page, 4096, PROT_READ); }).detach();
    wait_a_moment(200);
    say("GOT a still address space");
    rest();
}

}  // namespace thief
