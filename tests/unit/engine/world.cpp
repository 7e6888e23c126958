#include "unit/engine/world.hpp"

#include "base/id.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace covey::test {

namespace {

class FakeSurroundings final : public daemon::Surroundings {
  public:
    explicit FakeSurroundings(World& world) : world_(world) {}

    core::SpawnedShim spawn(const std::string& sandbox, FdRef) override {
        auto shim = std::make_shared<FakeShim>(world_.io, sandbox, world_.folder(sandbox),
                                               world_.shims_have_processes);
        shim->script = world_.script;
        world_.shims[sandbox] = shim;
        sys::Child process;
        process.pid = shim->pid();
        process.pidfd = shim->duplicate_pidfd();
        return {std::move(process), shim->connect()};
    }
    UniqueFd connect(FdRef folder) override {
        const auto path = std::filesystem::read_symlink(sys::fd_path(folder)).filename().string();
        const auto at = world_.shims.find(path);
        if (at == world_.shims.end()) throw Error(Code::sandbox_gone, "no such shim");
        return at->second->connect();
    }
    void pin(core::SandboxFacts& facts, FdRef, const std::string& path) override {
        if (facts.id == world_.refuse_to_pin) throw Error(Code::internal, "scripted: no pins");
        world_.pinned.insert(facts.id);
        for (auto& [type, entry] : facts.namespaces)
            entry.path = path + "/ns/" + type;
    }
    void unpin(FdRef folder) override {
        world_.pinned.erase(
            std::filesystem::read_symlink(sys::fd_path(folder)).filename().string());
    }
    void kill_group(const std::string& cgroup) override { world_.killed_groups.insert(cgroup); }
    std::string survivors(const std::string&) override { return {}; }
    cgroup::Removal::Left remove_group(const std::string& cgroup) override {
        world_.removed_groups.insert(cgroup);
        return cgroup::Removal::Left::nothing;
    }
    std::optional<UniqueFd> find_process(pid_t pid, std::uint64_t) override {
        for (const auto& [id, shim] : world_.shims)
            if (pid != 0 && shim->pid() == pid && shim->process_runs())
                return shim->duplicate_pidfd();
        return {};
    }
    std::vector<daemon::FoundShim> find_shims(FdRef) override { return world_.found_shims; }
    [[nodiscard]] const cgroup::Host& host() const override { return world_.host; }

  private:
    World& world_;
};

std::string make_root() {
    std::string path = "/tmp/covey-unit-engine-" + random_id();
    sys::mkdir_at(sys::kCwd, path, 0700).or_throw("create", path);
    return path;
}

}  // namespace

World::World() : root(make_root()) {
}

World::~World() {
    shims.clear();
    (void)sys::remove_tree_at(sys::kCwd, root);
}

std::unique_ptr<daemon::Surroundings> World::surroundings() {
    return std::make_unique<FakeSurroundings>(*this);
}

namespace {

daemon::EngineConfig with_root(daemon::EngineConfig config, const std::string& root) {
    config.root = root;
    return config;
}

}  // namespace

Daemon::Daemon(World& around, daemon::EngineConfig config)
    : world(around), engine(io, with_root(std::move(config), around.root), around.surroundings()) {
    run(engine.recover());
}

std::vector<daemon::EventRecord> Daemon::event_records(std::uint64_t since) {
    std::vector<daemon::EventRecord> records;
    const auto reader = engine.events(since);
    while (auto event = run(reader->next(std::chrono::milliseconds{0})))
        records.push_back(*event);
    return records;
}

std::vector<std::string> Daemon::event_lines(std::uint64_t since) {
    std::vector<std::string> lines;
    for (const auto& event : event_records(since))
        lines.push_back(event.type + " " +
                        (event.container.empty() ? event.sandbox : event.container));
    return lines;
}

daemon::CreateSandboxAction sandbox_action(const std::string& id) {
    daemon::CreateSandboxAction action;
    action.id = id;
    return action;
}

daemon::CreateContainerAction container_action(const std::string& id, const std::string& sandbox) {
    daemon::CreateContainerAction action;
    action.id = id;
    action.sandbox = sandbox;
    action.bundle = "/bundles/" + id;
    return action;
}

bool exists(const std::string& path) {
    return sys::stat_at(sys::kCwd, path).has_value();
}

void make_pod(Daemon& daemon) {
    daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
    daemon.run(daemon.engine.start_container("nginx"));
}

}  // namespace covey::test
