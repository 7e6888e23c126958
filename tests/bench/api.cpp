// What a client of coveyd waits for: sandbox create to ready, container create + start + wait +
// delete, through HTTP on the Unix socket; and the memory of a pod (proportional set size of shim +
// pause). Run as root: bench_api SOCKET BUNDLE [rounds] [pods]; a coveyd listens on SOCKET,
// BUNDLE's program is /bin/true. See docs/PERFORMANCE.md.
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "bench/client.hpp"
#include "bench/table.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <unistd.h>

using namespace covey;
using bench::Client;

namespace {

std::uint64_t pss_kib(pid_t pid) {
    const auto text =
        sys::read_file(fmt::format("/proc/{}/smaps_rollup", pid)).or_throw("read", "smaps_rollup");
    for (const auto line : split(text, '\n'))
        if (line.starts_with("Pss:")) return std::strtoul(line.data() + 4, nullptr, 10);
    return 0;
}

void print_memory(Client& client, int pods) {
    for (int i = 0; i < pods; ++i)
        client.call("PUT", fmt::format("/v1/sandboxes/mem{}", i), "{}");
    std::uint64_t shims = 0, pauses = 0;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const auto pid : sys::list_processes(proc).or_throw("list", "/proc")) {
        const auto command = sys::read_cmdline(proc, pid);
        if (!command || command.value().empty()) continue;
        const auto& args = command.value();
        if (args[0] == "covey-shim" && args.size() == 2 && args[1].starts_with("mem")) {
            shims += pss_kib(pid);
            for (const auto child : sys::list_processes(proc).or_throw("list", "/proc"))
                if (const auto stat = sys::read_stat(proc, child); stat && stat.value().ppid == pid)
                    pauses += pss_kib(child);
        }
    }
    for (int i = 0; i < pods; ++i)
        client.call("DELETE", fmt::format("/v1/sandboxes/mem{}?force=true", i));
    const auto count = static_cast<std::uint64_t>(pods);
    fmt::print("memory a pod over {} pods: shim {} KiB + pause {} KiB PSS = {} KiB\n", pods,
               shims / count, pauses / count, (shims + pauses) / count);
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 3) {
        fmt::print(stderr, "usage: bench_api SOCKET BUNDLE [rounds] [pods]\n");
        return 2;
    }
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 100;
    Client client{argv[1]};
    bench::Row version{"GET /v1/version"}, create{"PUT sandbox, to ready"},
        remove{"DELETE sandbox ?force"}, pod{"container create + start + wait + delete, pod"},
        own{"container create + start + wait + delete, container"};
    const auto run = [&](std::string_view mode) {
        client.call(
            "PUT", "/v1/containers/bench-c",
            fmt::format(R"({{"sandbox":"bench","bundle":"{}","pidMode":"{}"}})", argv[2], mode));
        client.call("POST", "/v1/containers/bench-c/start");
        client.call("GET", "/v1/containers/bench-c/wait");
        client.call("DELETE", "/v1/containers/bench-c");
    };
    for (int i = 0; i < rounds; ++i) {
        version.measure([&] { client.call("GET", "/v1/version"); });
        create.measure([&] { client.call("PUT", "/v1/sandboxes/bench", "{}"); });
        pod.measure([&] { run("pod"); });
        own.measure([&] { run("container"); });
        remove.measure([&] { client.call("DELETE", "/v1/sandboxes/bench?force=true"); });
    }
    bench::Row::print_header();
    for (auto* row : {&version, &create, &pod, &own, &remove})
        row->print();
    print_memory(client, argc > 4 ? std::atoi(argv[4]) : 100);
    return 0;
} catch (const covey::Error& error) {
    fmt::print(stderr, "bench_api: {}\n  fix: {}\n", error.detail(), error.fix());
    return 1;
}
