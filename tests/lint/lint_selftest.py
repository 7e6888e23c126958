#!/usr/bin/python3
"""Every rule of lint.py can fail: each breach below is found, and its harmless neighbour is not."""
import sys

import conformance
import lint
import model_steps
import trust_map
import unnamed

HEADER = "// What it owns.\n#pragma once\n"
LONG = "int f() {\n" + "    g();\n" * 85 + "}\n"

# rule, path, breach, the same done right
CASES = [
    ("floors", "lib/base/a.cpp", '#include "sys/file.hpp"\n', '#include "base/id.hpp"\n'),
    ("floors", "lib/spec/a.cpp", '#include "plan/plan.hpp"\n', '#include "covey/error.hpp"\n'),
    ("floors", "lib/plan/a.cpp", '#include "cgroup/cgroup.hpp"\n', '#include "cgroup/limits.hpp"\n'),
    ("floors", "lib/launch/a.cpp", '#include "core/messages.hpp"\n', '#include "plan/plan.hpp"\n'),
    ("floors", "lib/launch/a.cpp", '#include "handshake.hpp"\n', '#include "launch/handshake.hpp"\n'),
    ("floors", "lib/pause/a.c", '#include "base/id.hpp"\n', "#include <sys/prctl.h>\n"),
    ("floors", "lib/include/covey/a.hpp", HEADER + '#include "core/messages.hpp"\n',
     HEADER + '#include "covey/error.hpp"\n'),
    ("floors", "daemon/ctl/a.cpp", '#include "engine/engine.hpp"\n', '#include "ctl/client.hpp"\n'),
    ("floors", "daemon/api/a.cpp", '#include "launch/init.hpp"\n', '#include "spec/tables.hpp"\n'),
    ("third_party", "lib/core/a.cpp", "#include <boost/asio.hpp>\n", "#include <fmt/format.h>\n"),
    ("third_party", "lib/core/a.cpp", '#include "base/json.hpp"\n', "#include <nlohmann/json_fwd.hpp>\n"),
    ("third_party", "daemon/api/a.cpp", '#include "base/json.hpp"\n', "#include <string>\n"),
    ("third_party", "daemon/api/a_codec.cpp", "#include <nlohmann/json.hpp>\n", '#include "base/json.hpp"\n'),
    ("third_party", "lib/include/covey/a.hpp", HEADER + "#include <nlohmann/json_fwd.hpp>\n",
     HEADER + "#include <string>\n"),
    ("banned_calls", "lib/core/a.cpp", 'void f() { system("ls"); }\n', "// system(x) is banned\n"),
    ("banned_calls", "tests/api/a.cpp", 'void f() { popen("ls", "r"); }\n', 'auto s = "popen(x)";\n'),
    ("banned_calls", "lib/launch/a.cpp", "void f() { getpwnam(n); }\n", "void f() { lookup.getpwnam(n); }\n"),
    ("banned_calls", "daemon/a.cpp", "void f() { dlopen(n, 0); }\n", "void f() { my_dlopen(n); }\n"),
    ("banned_calls", "daemon/a.cpp", "void f() { thread.detach(); }\n", "void f() { thread.join(); }\n"),
    ("banned_calls", "tests/api/a.cpp", "void f() { std::this_thread::sleep_for(1s); }\n",
     "void f() { wait_for(1s); }\n"),
    ("banned_calls", "lib/shim/a.cpp", "void f() { nanosleep(&t, nullptr); }\n", "void f() { poll(&p, 1, -1); }\n"),
    ("banned_calls", "lib/shim/a.cpp", "int f() { return fork(); }\n", "int f() { return sys::fork(); }\n"),
    ("banned_calls", "lib/launch/a.cpp", "void f() { fd = ::open(p, O_RDONLY | O_CLOEXEC); }\n",
     "void f() { fd = sys::open(p, O_RDONLY); }\n"),
    ("banned_calls", "lib/launch/a.cpp", "void f() { mount(a, b, c, MS_BIND, nullptr); }\n",
     "void f() { mount(operation); }\n"),
    ("banned_calls", "daemon/a.cpp", "void f() { ::mount(a, b, c, 0, nullptr); }\n", 'json m = {mount("/proc", "proc", "proc", {"a", "b"}, 1)};\n'),
    ("banned_calls", "lib/core/a.cpp", "void f() { ::dup3(a, b, 0); }\n", "void f() { sys::duplicate(a); }\n"),
    ("banned_calls", "lib/cgroup/a.cpp", "void f() { syscall(SYS_openat2, 1); }\n", "void f() { open_beneath(1); }\n"),
    ("banned_calls", "daemon/engine/a.cpp", "void f() { ::close(fd); }\n", "void f() { fd.reset(); }\n"),
    ("using", "lib/core/a.cpp", "using namespace asio::operators;\n", "using namespace std::string_view_literals;\n"),
    ("using", "daemon/api/a.cpp", "using enum Kind;\n", "void f() {\n    using enum Kind;\n}\n"),
    ("using", "lib/shim/a.cpp", "using namespace covey;\n", "using std::chrono::milliseconds;\n"),
    ("cloexec", "lib/sys/a.cpp", "int f() { return ::openat(d, p, O_RDONLY); }\n",
     "int f() { return ::openat(d, p,\n    O_RDONLY | O_CLOEXEC); }\n"),
    ("cloexec", "tests/kernel/a.cpp", "int f() { return open(p, O_RDONLY); }\n", "int f() { return sys::open(p, O_RDONLY); }\n"),
    ("cloexec", "lib/sys/a.cpp", "int f() { return ::socket(AF_UNIX, SOCK_STREAM, 0); }\n",
     "int f() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }\n"),
    ("cloexec", "tests/kernel/a.cpp", "void f() { pipe(ends); }\n", "void f() { pipe2(ends, O_CLOEXEC); }\n"),
    ("cloexec", "lib/sys/a.cpp", "void f() { epoll_create1(0); }\n", "void f() { epoll_create1(EPOLL_CLOEXEC); }\n"),
    ("cloexec", "lib/sys/a.cpp", 'void f() { memfd_create("x", 0); }\n', 'void f() { memfd_create("x", MFD_CLOEXEC); }\n'),
    ("coroutines", "daemon/a.cpp", "void f() { if (!co_await g(h())) co_return; }\n",
     "void f() { const bool b = co_await g(h()); if (!b) co_return co_await g(); }\n"),
    ("coroutines", "daemon/a.cpp", "void f() { do g(); while (co_await h()); }\n", "void f() { for (;;) co_await h(); }\n"),
    ("file_size", "lib/base/a.cpp", "int a;\n" * 501, "int a;\n" * 500),
    ("file_size", "lib/base/a.hpp", HEADER + "int a;\n" * 199, HEADER + "int a;\n" * 198),
    ("file_size", "lib/shim/main.cpp", "int a;\n" * 101, "int a;\n" * 100),
    ("function_size", "lib/base/a.cpp", LONG, LONG.replace("    g();\n", "", 20)),
    ("function_size", "lib/base/a.cpp", "namespace n {\nclass C {\n" + LONG + "};\n}\n",
     "namespace n {\n" + "int f() {\n}\n" * 60 + "}\n"),
    ("function_size", "tests/unit/a.cpp", LONG.replace("int f()", 'TEST_CASE("a: b {")'), 'TEST_CASE("a") {\n}\n'),
    ("header", "lib/base/a.hpp", "// What it owns.\nint a;\n", HEADER),
    ("header", "lib/base/a.hpp", "#pragma once\n", HEADER),
    ("text", "lib/base/a.cpp", "// TODO: later\n", "// todos los dias\n"),
    ("text", "cmake/a.sh", "# FIXME\n", 'mktemp -d /tmp/x.XXXXXX\n'),
    ("text", "lib/base/a.cpp", "int a; \n", "int a;\n"),
    ("text", "lib/base/a.cpp", "\tint a;\n", "    int a;\n"),
    ("text", "lib/base/a.cpp", "int a;", "int a;\n"),
]

# A row's last cell, what must be said of it ("" is right).
TESTS = {"unit/a_test.cpp": conformance.names_in("a.cpp", 'TEST_CASE("one \\"two\\" "\n          "three", "[tag]") {\n'),
         "api/test_a.py": conformance.names_in("a.py", "class A:\n    def test_b(self):\n"),
         "vm/a_check.sh": conformance.names_in("a.sh", "part() {\n    other\n}\n"), "suite": {"state"}}
ROWS = [
    ('`unit/a_test.cpp: one "two" three`<br>`api/test_a.py: test_b`<br>`suite: state`', ""),
    ("`vm/a_check.sh: part`", ""),
    ("`vm/a_check.sh: other`", "it is not in tests/vm/a_check.sh"),
    ("none yet", ""),
    ("none yet: no machine has it", ""),
    ("", "names no test"),
    ("surely", "names no test"),
    ("`unit/a_test.cpp: one`", "it is not in tests/unit/a_test.cpp"),
    ("`suite: state`<br>`api/test_a.py: test_c`", 'the test "test_c"'),
    ("`unit/b_test.cpp: one`", "no such file"),
    ("`suite: delete`", "files that pass"),
]


def wrong_rows():
    """How many of ROWS are not judged as they should be; the message names the row."""
    wrong = 0
    for cell, said in ROWS:
        found = conformance.breaches(f"| clause | test |\n|---|---|\n| `x` | {cell} |\n", TESTS)
        if bool(found) != bool(said) or any('row "`x`"' not in message or said not in message for _, message in found):
            wrong += 1
            print(f"a row with {cell!r}: {found}")
    if not conformance.breaches("| file | why |\n|---|---|\n| a | b |\n", TESTS):
        wrong += 1
        print("a document without clauses was accepted")
    return wrong


# A source file, the places that it has.
PLACES = [
    ("auto a = sys::seqpacket_pair().or_throw(x); sys::seqpacket_pair();", {"lib/a.cpp: seqpacket_pair": 2}),
    ("// sys::make_pipe()\nauto s = \"make_pipe()\"; other_make_pipe(); a.make_pipe();", {}),
    ("sys::accept(fd); value.accept(fd);", {"lib/a.cpp: accept": 1}),
    ("inline constexpr int kShimListenFd = 3;", {"lib/a.cpp: kShimListenFd": 1}),
    ("constexpr const char* kOwnFile = nullptr;", {}),
    ("state_->socket.connect(endpoint);", {"lib/a.cpp: connect": 1}),
    ("sys::spawn({file}); spawn(exec); spawner.spawn(x);", {"lib/a.cpp: spawn": 1}),
    ("app.add_option(a)->envname(\"COVEY_A\");", {"lib/a.cpp: envname": 1}),
    ("asio::signal_set signals{io, SIGTERM}; ::signalfd(-1, &set, 0);", {"lib/a.cpp: signal_set": 1, "lib/a.cpp: signalfd": 1}),
]
CODE = {"lib/a.cpp: send_packet": 2}
# Rows of channels, rows of places, what must be said ("" is right).
MAPS = [
    ("| L1 | `unit/a_test.cpp: one` |", "| L1 | `lib/a.cpp: send_packet ×2` |", ""),
    ("| L1 | – |", "| L1 | `lib/a.cpp: send_packet ×2` |", ""),
    ("| L1 | none yet |", "| L1 | `lib/a.cpp: send_packet ×2` |", ""),
    ("| L1 | |", "| L1 | `lib/a.cpp: send_packet ×2` |", "names no test"),
    ("| L1 | `unit/a_test.cpp: two` |", "| L1 | `lib/a.cpp: send_packet ×2` |", "it is not there"),
    ("| L1 | – |", "| L1 | `lib/a.cpp: send_packet` |", "the code has it 2 times, the table 1"),
    ("| L1 | – |", "| L1 | – |", "the code has it 2 times, the table 0"),
    ("| L1 | – |", "| L1 | `lib/a.cpp: send_packet ×2`, `lib/b.cpp: getenv` |", "no more"),
    ("| L1 | – |", "| L1 | `lib/a.cpp: send_packet ×2` |\n| L2 | – |", "no channel has this id"),
    ("| L1 | – |\n| L2 | – |", "| L1 | `lib/a.cpp: send_packet ×2` |", "L2 has no row of places"),
]
STEPS = [
    ("| a | `lib/a.cpp: f` |", ""),
    ("| a | `lib/a.cpp: A::g` |", ""),
    ("| a | `lib/a.cpp: h` |", "there is no such function"),
    ("| a | `lib/b.cpp: f` |", "there is no such file"),
    ("| a | |", "names no function"),
]

# Two sources of one folder, and the names that both have unnamed.
TWICE = [
    ("int f() {}", "int f() {}", ["f"]),
    ("int f(int a) {}", "template <typename T>\nauto f(const T& a) {}", ["f"]),
    ("struct A { int b; };", "enum class A { b };", ["A"]),
    ("constexpr int kA = 1;", "constexpr std::array<int, 2> kA{1, 2};", ["kA"]),
    ("constexpr int kA{1};\nint f() { return kA; }", "int g() {\n    int f = 1;\n    return f;\n}\nint kA[2];", ["kA"]),
    ("using A = int;", "using A = long;", ["A"]),
    ("using A = int;", "using A = int;", []),
    ("namespace fs = std::filesystem;", "namespace fs = std::filesystem;", []),
    ("static_assert(sizeof(int) == 4);", "static_assert(true);", []),
    ("// int f() {}\nint g() {}", 'constexpr auto kText = "int g() {}";\nint f() {}', []),
    ("struct A { int f(); };\nint A::f() {}", "struct B { int f(); };\nint B::f() {}", []),
]


def wrong_twice():
    wrong = 0
    for one, other, expected in TWICE:
        texts = {name: f"namespace {{\n\n{text}\n\n}}  // namespace\nint f();\n" for name, text in (("a", one), ("b", other))}
        found = [message.split("'")[1] for _, _, message in unnamed.breaches(texts)]
        if found != expected:
            wrong += 1
            print(f"unnamed in both {one!r} and {other!r}: {found}")
    return wrong


def wrong_maps():
    wrong = 0
    for text, expected in PLACES:
        if dict(trust_map.places_in("lib/a.cpp", text)) != expected:
            wrong += 1
            print(f"places of {text!r}: {trust_map.places_in('lib/a.cpp', text)}")
    for channels, places, said in MAPS:
        text = f"| id | test |\n|---|---|\n{channels}\n\n{trust_map.HEADING}\n\n| id | places |\n|---|---|\n{places}\n"
        found = trust_map.breaches(text, CODE, {"unit/a_test.cpp": {"one"}})
        if bool(found) != bool(said) or any(said not in message for _, message in found):
            wrong += 1
            print(f"a map with {channels!r}, {places!r}: {found}")
    sources = {"lib/a.cpp": "void f() {}\nint A::g(int a) {}\n// h()\nint x = h(1);\n"}
    for row, said in STEPS:
        found = model_steps.breaches(f"| step | functions |\n|---|---|\n{row}\n", sources.get)
        if bool(found) != bool(said) or any(said not in message for _, message in found):
            wrong += 1
            print(f"steps with {row!r}: {found}")
    return wrong


def main():
    wrong = wrong_rows() + wrong_maps() + wrong_twice()
    for rule, path, breach, right in CASES:
        found = [name for _, name, _ in lint.check(path, breach)]
        if rule not in found:
            wrong += 1
            print(f"not found by {rule} in {path}: {breach[:100]!r} (found: {found})")
        for line, name, message in lint.check(path, right):
            wrong += 1
            print(f"false alarm in {path}:{line}: {message} [{name}]: {right[:100]!r}")
    excused = "int f() { return ::openat(d, p, O_RDONLY); }  // lint: allow cloexec because exec'd\n"
    if lint.check("lib/sys/a.cpp", excused):
        wrong += 1
        print("an excuse with a reason was not accepted")
    if not lint.check("lib/sys/a.cpp", excused.replace(" because exec'd", "")):
        wrong += 1
        print("an excuse without a reason was accepted")
    untested = {rule.__name__.removeprefix("rule_") for rule in lint.RULES} - {case[0] for case in CASES}
    if untested:
        wrong += 1
        print(f"rules without a case here: {sorted(untested)}")
    print(f"lint_selftest: {len(CASES) + len(ROWS) + len(PLACES) + len(MAPS) + len(STEPS) + len(TWICE)} cases, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
