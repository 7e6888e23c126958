// How long coveyd takes to say who is in a pod of a thousand processes. Run as root:
// bench_processes SOCKET BUNDLE PROCESSES [rounds]; a coveyd listens on SOCKET, BUNDLE's program
// makes that many (tests/probe: fork N) and has a pids limit. See docs/PERFORMANCE.md.
#include "base/result.hpp"
#include "bench/client.hpp"
#include "bench/table.hpp"

#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

using namespace covey;

namespace {

int count_of(std::string_view text, std::string_view word) {
    int count = 0;
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
        ++count;
    return count;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 4) {
        fmt::print(stderr, "usage: bench_processes SOCKET BUNDLE PROCESSES [rounds]\n");
        return 2;
    }
    const int wanted = std::atoi(argv[3]), rounds = argc > 4 ? std::atoi(argv[4]) : 50;
    bench::Client client{argv[1]};
    client.call("PUT", "/v1/sandboxes/bench", "{}");
    client.call("PUT", "/v1/containers/bench-c",
                fmt::format(R"({{"sandbox":"bench","bundle":"{}","pidMode":"pod"}})", argv[2]));
    client.call("POST", "/v1/containers/bench-c/start");
    const auto list = [&] { return client.call("GET", "/v1/sandboxes/bench/processes"); };
    std::string answer = list();
    for (int i = 0; i < 100 && count_of(answer, "\"podPid\"") < wanted; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
        answer = list();
    }
    bench::Row row{fmt::format("GET processes, {} of them, {} KiB", count_of(answer, "\"podPid\""),
                               answer.size() / 1024)};
    for (int i = 0; i < rounds; ++i)
        row.measure(list);
    bench::Row::print_header();
    row.print();
    client.call("DELETE", "/v1/sandboxes/bench?force=true");
    return 0;
} catch (const covey::Error& error) {
    fmt::print(stderr, "bench_processes: {}\n  fix: {}\n", error.detail(), error.fix());
    return 1;
}
