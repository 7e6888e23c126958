// Session keyrings, by those who guess their names, and the account of keys that equal users of the
// host share.
//
//   keyring SECONDS NAME…        makes keyrings of these names, open to its user, plants a key in
//   each, and tells what others
//                                put there
//   secret TEXT                  a victim: puts a key into its session keyring; says what it finds
//   there that is not its own quota                        fills its user's account
#include "thief.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace thief {
namespace {

using Serial = int;
const char* const kPlanted = "planted by the thief";

long keyctl(int operation, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0,
            unsigned long d = 0) {
    return syscall(SYS_keyctl, operation, a, b, c, d);
}

unsigned long as_word(const void* pointer) {
    return reinterpret_cast<unsigned long>(pointer);
}

Serial add(const std::string& name, const std::string& text, Serial ring) {
    return static_cast<Serial>(
        syscall(SYS_add_key, "user", name.c_str(), text.data(), text.size(), ring));
}

std::vector<Serial> members(Serial ring) {
    std::vector<Serial> all(4096);
    const long got = keyctl(KEYCTL_READ, static_cast<unsigned long>(ring), as_word(all.data()),
                            all.size() * sizeof(Serial));
    all.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof(Serial) : 0);
    return all;
}

std::string text_of(Serial key) {
    char text[128] = {};
    if (keyctl(KEYCTL_READ, static_cast<unsigned long>(key), as_word(text), sizeof text - 1) <= 0)
        return "";
    return text;
}

void watch_rings(const std::vector<Serial>& rings, const std::set<std::string>& own,
                 std::set<Serial>& told) {
    for (const Serial ring : rings)
        for (const Serial key : members(ring)) {
            const auto text = text_of(key);
            if (text.empty() || own.count(text) != 0 || !told.insert(key).second) continue;
            say("WON read a key of somebody else's: " + text);
        }
}

}  // namespace

int keyring(const Arguments& arguments) {
    constexpr unsigned long kAll = 0x3f3f3f3f;
    std::vector<Serial> rings{KEY_SPEC_SESSION_KEYRING};
    // Its own one first, as it was given: whose is that?
    std::set<Serial> told;
    watch_rings(rings, {kPlanted}, told);
    for (std::size_t index = 1; index < arguments.size(); ++index) {
        const auto ring = static_cast<Serial>(
            keyctl(KEYCTL_JOIN_SESSION_KEYRING, as_word(arguments[index].c_str())));
        if (ring < 0) {
            say("TRIED in vain to make " + arguments[index] + ": " + errno_name());
            continue;
        }
        keyctl(KEYCTL_SETPERM, static_cast<unsigned long>(ring), kAll);
        const auto key = add(kPlanted, kPlanted, ring);
        keyctl(KEYCTL_SETPERM, static_cast<unsigned long>(key), kAll);
        // A link from the user's keyring, as joining the next one lets go of it.
        keyctl(KEYCTL_LINK, static_cast<unsigned long>(ring),
               static_cast<unsigned long>(KEY_SPEC_PROCESS_KEYRING));
        rings.push_back(ring);
        say("GOT a keyring " + arguments[index]);
    }
    say("ready");
    const double end = now() + std::strtod(arguments.empty() ? "0" : arguments[0].c_str(), nullptr);
    for (; now() < end; wait_a_moment(10))
        watch_rings(rings, {kPlanted}, told);
    return 0;
}

int secret(const Arguments& arguments) {
    const std::string text = arguments.empty() ? "secret" : arguments[0];
    for (const Serial key : members(KEY_SPEC_SESSION_KEYRING))
        if (const auto found = text_of(key); !found.empty() && found != text)
            say((found == kPlanted ? "WON is in a thief's keyring: "
                                   : "WON found a key of somebody else's: ") +
                found);
    const auto key = add("secret of " + std::to_string(getpid()), text, KEY_SPEC_SESSION_KEYRING);
    say(key > 0 ? "GOT a key of its own" : "GOT no key: " + errno_name());
    // Readable to its user, as programs have them that share a keyring among their processes.
    keyctl(KEYCTL_SETPERM, static_cast<unsigned long>(key), 0x3f3f0000);
    say("ready");
    while (arguments.size() > 1)
        pause();
    wait_a_moment(100);
    return 0;
}

int quota(const Arguments& /*arguments*/) {
    int made = 0;
    // The process's own keyring: nobody takes it away.
    for (std::size_t size = 4000; size > 0; size /= 2)
        while (made < 1000 && add("filler " + std::to_string(made), std::string(size, 'x'),
                                  KEY_SPEC_PROCESS_KEYRING) > 0)
            ++made;
    say("GOT " + std::to_string(made) + " keys, then " + errno_name());
    say("ready");
    while (true)
        pause();
}

}  // namespace thief
