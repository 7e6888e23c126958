// The world around an engine in unit tests: fake shims that outlive daemons, a state folder of its
// own, and daemons that can be dropped at any moment as SIGKILL would drop them.
// Thread rule: the test thread. Blocks up to 10 s for what must come.
#pragma once

#include "engine/engine.hpp"
#include "engine/surroundings.hpp"
#include "unit/engine/fake_shim.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace covey::test {

struct World {
    World();
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    boost::asio::io_context io;
    std::string root;
    std::map<std::string, std::shared_ptr<FakeShim>> shims;
    std::set<std::string> pinned, killed_groups, removed_groups;
    bool shims_have_processes = false;
    /// Given to every new shim.
    std::function<FakeShim::Script(const core::RequestBody&)> script;
    std::string refuse_to_pin;
    /// What a search of the host finds.
    std::vector<daemon::FoundShim> found_shims;
    /// Without any hierarchy, unless a test gives it one.
    cgroup::Host host;

    [[nodiscard]] FakeShim& shim(const std::string& id) { return *shims.at(id); }
    [[nodiscard]] std::string folder(const std::string& id) const {
        return root + "/sandboxes/" + id;
    }
    [[nodiscard]] std::unique_ptr<daemon::Surroundings> surroundings();
};

/// One life of coveyd, which begins with its recovery. Destroying it is SIGKILL: nothing that was
/// under way goes on.
struct Daemon {
    explicit Daemon(World& around, daemon::EngineConfig config = {});

    World& world;
    boost::asio::io_context io;
    daemon::Engine engine;

    /// Lets daemon and shims run until `done` or 10 s are over; throws then.
    template <typename Done>
    void run_until(Done done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline)
                throw std::runtime_error("nothing came of it in 10 s");
            if (step() == 0) io.run_one_for(std::chrono::milliseconds{1});
        }
    }
    std::size_t step() {
        io.restart();
        world.io.restart();
        return io.poll() + world.io.poll();
    }
    /// Whatever can be done now without time passing.
    void settle() {
        for (int idle = 0; idle < 5;)
            idle = step() == 0 ? idle + 1 : 0;
    }

    /// Begins the operation and lets it go its way.
    template <typename T>
    struct Running {
        bool ended = false;
        std::exception_ptr error;
        std::optional<T> value;
    };
    template <typename T>
    std::shared_ptr<Running<T>> begin(boost::asio::awaitable<T> operation) {
        auto running = std::make_shared<Running<T>>();
        boost::asio::co_spawn(io, std::move(operation),
                              [running](std::exception_ptr error, T value) {
                                  running->ended = true;
                                  running->error = std::move(error);
                                  running->value.emplace(std::move(value));
                              });
        return running;
    }
    std::shared_ptr<Running<bool>> begin(boost::asio::awaitable<void> operation) {
        return begin<bool>([](boost::asio::awaitable<void> inner) -> boost::asio::awaitable<bool> {
            co_await std::move(inner);
            co_return true;
        }(std::move(operation)));
    }
    template <typename T>
    T finish(const std::shared_ptr<Running<T>>& running) {
        run_until([&] { return running->ended; });
        if (running->error) std::rethrow_exception(running->error);
        return std::move(*running->value);
    }
    template <typename T>
    auto run(boost::asio::awaitable<T> operation) {
        return finish(begin(std::move(operation)));
    }

    /// "container.exited nginx" of every event after `since`.
    std::vector<std::string> event_lines(std::uint64_t since = 0);
    std::vector<daemon::EventRecord> event_records(std::uint64_t since = 0);
};

/// The covey::Code of what `operation` throws; fails the test if it does not.
template <typename Operation>
Code code_of(Operation operation) {
    try {
        (void)operation();
    } catch (const Error& error) {
        return error.code();
    }
    throw std::runtime_error("nothing was thrown");
}

/// Runs `operation` until the shim has carried out the request, and drops the daemon before it
/// hears the answer.
template <typename Begin>
void crash_before_answer_of(World& world, const std::string& request, Begin begin) {
    auto daemon = std::make_unique<Daemon>(world);
    auto running = begin(*daemon);
    const auto asked = [&] {
        return std::any_of(world.shims.begin(), world.shims.end(), [&](const auto& entry) {
            const auto& all = entry.second->requests;
            return !all.empty() && all.back() == request;
        });
    };
    while (!asked()) {
        daemon->io.restart();
        daemon->io.poll();
        world.io.restart();
        world.io.poll();
    }
}

[[nodiscard]] bool exists(const std::string& path);
/// The sandbox "web" with the running container "nginx".
void make_pod(Daemon& daemon);
[[nodiscard]] daemon::CreateSandboxAction sandbox_action(const std::string& id);
[[nodiscard]] daemon::CreateContainerAction container_action(const std::string& id,
                                                             const std::string& sandbox);

}  // namespace covey::test
