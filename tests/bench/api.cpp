// What a client of coveyd waits for: sandbox create to ready, container create + start + wait +
// delete, through HTTP on the Unix socket, in each pid mode and with restricted access; and the
// memory of a pod (proportional set size of shim + pause) and of a container in it. Run as root:
// bench_api SOCKET BUNDLE [rounds] [pods]; a coveyd listens on SOCKET, BUNDLE's program is
// /bin/true. See docs/PERFORMANCE.md.
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "bench/client.hpp"
#include "bench/table.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

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

struct Mode {
    std::string_view name, fields;
};
constexpr std::array<Mode, 5> kModes{
    {{"pod", R"("pidMode":"pod")"},
     {"nested", R"("pidMode":"nested")"},
     {"container", R"("pidMode":"container")"},
     {"pod, private", R"("pidMode":"pod","access":"private")"},
     {"nested, private", R"("pidMode":"nested","access":"private")"}}};

void create(Client& client, const std::string& id, std::string_view bundle, const Mode& mode) {
    client.call("PUT", "/v1/containers/" + id,
                fmt::format(R"({{"sandbox":"bench","bundle":"{}",{}}})", bundle, mode.fields));
}

/// Of the shim and all its children: pause, inits at their gates, spawners.
std::uint64_t pod_pss_kib(std::string_view sandbox) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    std::uint64_t total = 0;
    for (const auto pid : sys::list_processes(proc).or_throw("list", "/proc")) {
        const auto command = sys::read_cmdline(proc, pid);
        if (!command || command.value().size() != 2 || command.value()[0] != "covey-shim" ||
            command.value()[1] != sandbox)
            continue;
        total += pss_kib(pid);
        for (const auto child : sys::list_processes(proc).or_throw("list", "/proc"))
            if (const auto stat = sys::read_stat(proc, child); stat && stat.value().ppid == pid)
                total += pss_kib(child);
    }
    return total;
}

void print_memory_of_modes(Client& client, std::string_view bundle) {
    constexpr std::uint64_t kContainers = 20;
    for (const auto& mode : kModes) {
        client.call("PUT", "/v1/sandboxes/bench", "{}");
        const auto before = pod_pss_kib("bench");
        for (std::uint64_t i = 0; i < kContainers; ++i)
            create(client, fmt::format("bench-{}", i), bundle, mode);
        fmt::print("memory a created container, {}: {} KiB PSS\n", mode.name,
                   (pod_pss_kib("bench") - before) / kContainers);
        client.call("DELETE", "/v1/sandboxes/bench?force=true");
    }
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 3) {
        fmt::print(stderr, "usage: bench_api SOCKET BUNDLE [rounds] [pods]\n");
        return 2;
    }
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 100;
    Client client{argv[1]};
    bench::Row version{"GET /v1/version"}, make{"PUT sandbox, to ready"},
        remove{"DELETE sandbox ?force"};
    std::vector<bench::Row> lives;
    for (const auto& mode : kModes)
        lives.emplace_back(fmt::format("container create + start + wait + delete, {}", mode.name));
    const auto run = [&](const Mode& mode) {
        create(client, "bench-c", argv[2], mode);
        client.call("POST", "/v1/containers/bench-c/start");
        client.call("GET", "/v1/containers/bench-c/wait");
        client.call("DELETE", "/v1/containers/bench-c");
    };
    for (int i = 0; i < rounds; ++i) {
        version.measure([&] { client.call("GET", "/v1/version"); });
        make.measure([&] { client.call("PUT", "/v1/sandboxes/bench", "{}"); });
        for (std::size_t m = 0; m < kModes.size(); ++m)
            lives[m].measure([&] { run(kModes[m]); });
        remove.measure([&] { client.call("DELETE", "/v1/sandboxes/bench?force=true"); });
    }
    bench::Row::print_header();
    for (auto* row : {&version, &make, &remove})
        row->print();
    for (auto& row : lives)
        row.print();
    print_memory_of_modes(client, argv[2]);
    print_memory(client, argc > 4 ? std::atoi(argv[4]) : 100);
    return 0;
} catch (const covey::Error& error) {
    fmt::print(stderr, "bench_api: {}\n  fix: {}\n", error.detail(), error.fix());
    return 1;
}
