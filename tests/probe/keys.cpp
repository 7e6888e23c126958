// `key VERB …`: the keys that a process can reach, and what a thief of keys does. Raw keyctl(2), so
// that no library is needed. Numbers of keyrings as keyctl(1) has them: @s is the session's.
#include "probe.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace probe {
namespace {

constexpr long kSession = KEY_SPEC_SESSION_KEYRING;
constexpr unsigned long kOpenToAll = 0x3f3f3f3f;

long add(const std::string& name, const std::string& value) {
    return syscall(SYS_add_key, "user", name.c_str(), value.data(), value.size(), kSession);
}

int print_content(long key) {
    char content[4096];
    const long size =
        key < 0 ? key : syscall(SYS_keyctl, KEYCTL_READ, key, content, sizeof content);
    if (size < 0) return say_result(size);
    say(std::string{content, static_cast<std::size_t>(size)});
    return 0;
}

/// "keyring;uid;gid;rights;name" as the kernel says it, and the number.
int describe(long keyring) {
    const long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, keyring, 0);
    if (serial < 0) return say_result(serial);
    char text[512] = "";
    if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, keyring, text, sizeof text) < 0)
        std::strcpy(text, "?");
    say("{\"serial\":" + std::to_string(serial) + ",\"description\":" + quoted(text) + "}");
    return 0;
}

/// The keyring of that name if there is one that lets us, else a new one; open to everybody then.
int join(const std::string& name) {
    const long serial = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str());
    if (serial < 0) return say_result(serial);
    return say_result(syscall(SYS_keyctl, KEYCTL_SETPERM, serial, kOpenToAll));
}

/// The account of the user until nothing more goes in: not one key, however small, and so no
/// keyring. What is in it stays while the session does.
int fill() {
    long made = 0;
    while (made < 1000 && add("filler-" + std::to_string(made), "x") >= 0)
        ++made;
    say("{\"keys\":" + std::to_string(made) + ",\"errno\":" + quoted(strerrorname_np(errno)) + "}");
    return 0;
}

}  // namespace

int key(const Arguments& arguments) {
    const auto word = [&](std::size_t index) {
        return index < arguments.size() ? arguments[index] : std::string{};
    };
    const auto verb = word(0);
    if (verb == "session") return describe(kSession);
    if (verb == "user") return describe(KEY_SPEC_USER_KEYRING);
    if (verb == "add") return say_result(add(word(1), word(2)));
    if (verb == "join") return join(word(1));
    if (verb == "fill") return fill();
    if (verb == "read")
        return print_content(
            syscall(SYS_keyctl, KEYCTL_SEARCH, kSession, "user", word(1).c_str(), 0));
    if (verb == "read-serial") return print_content(std::strtol(word(1).c_str(), nullptr, 0));
    say("key: unknown verb " + verb);
    return 2;
}

}  // namespace probe
