#include "engine/id_blocks.hpp"

#include "catch.hpp"
#include "covey/error.hpp"
#include "support/temporary_folder.hpp"
#include "unit/engine/world.hpp"

#include <fstream>

using namespace covey;
using namespace covey::daemon;
using namespace covey::test;

namespace {

constexpr std::uint32_t kFirst = 100000;

CreateSandboxAction user_sandbox(const std::string& id, IdMappings maps = {}) {
    auto action = sandbox_action(id);
    action.namespaces["user"] = {core::NamespaceWish::Kind::create, {}, maps, maps};
    return action;
}

EngineConfig with_blocks(std::uint32_t count) {
    EngineConfig config;
    config.ids.range = IdRange{kFirst, count * kIdBlock};
    return config;
}

template <typename Action>
Error error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    return Error(Code::internal, "nothing was thrown");
}

}  // namespace

TEST_CASE("covey's entries of /etc/subuid are found") {
    const auto ranges = parse_subordinate_ids(
        "alice:1:2\ncovey:100000:65536\n# covey:1:1\ncovey:x:1\ncovey:5\n covey:400000:10 \n"
        "covey:7:0\ncoveys:1:1\n",
        "covey");
    REQUIRE(ranges.size() == 2);
    CHECK(ranges[0].first == 100000);
    CHECK(ranges[1].size == 10);
}

TEST_CASE("a block is free when no sandbox has an id of it") {
    CHECK(free_block({{kFirst, 3 * kIdBlock}}, {}) == kFirst);
    CHECK(free_block({{kFirst, 3 * kIdBlock}}, {{0, kFirst + kIdBlock - 1, 1}}) ==
          kFirst + kIdBlock);
    CHECK(free_block({{kFirst, kIdBlock}, {900000, kIdBlock}}, {{0, kFirst, kIdBlock}}) == 900000);
    CHECK_FALSE(free_block({{kFirst, kIdBlock - 1}}, {}));
    CHECK_FALSE(free_block({{kFirst, kIdBlock}}, {{0, kFirst + 5, 1}}));
    CHECK(free_block({{0, 2 * kIdBlock}}, {}) == kIdBlock);  // never the host's root
    CHECK_FALSE(free_block({{4294967295U - kIdBlock + 1, kIdBlock}}, {}));
}

TEST_CASE("ids come from the range, else from the files, and their absence is told with the fix") {
    TemporaryFolder folder;
    IdSource source;
    source.subuid = folder.path() + "/subuid";
    source.subgid = folder.path() + "/subgid";
    core::NamespaceWish wish;
    const auto error = error_of([&] { choose_ids(wish, source, {}, {}); });
    CHECK(error.code() == Code::failed_precondition);
    CHECK(error.detail().find(source.subuid) != std::string::npos);
    CHECK(error.fix().find("--userns-ids") != std::string::npos);
    CHECK_FALSE(describe_ids(source));
    std::ofstream{source.subuid} << "covey:200000:65536\n";
    std::ofstream{source.subgid} << "covey:300000:65536\n";
    choose_ids(wish, source, {}, {});
    CHECK(wish.uid_mappings == IdMappings{{0, 200000, kIdBlock}});
    CHECK(wish.gid_mappings == IdMappings{{0, 300000, kIdBlock}});
    CHECK(describe_ids(source) == "uids 200000:65536, gids 300000:65536");
    CHECK(error_of([&] { choose_ids(wish, source, wish.uid_mappings, {}); }).code() ==
          Code::resource_exhausted);
    source.range = IdRange{500000, kIdBlock};
    choose_ids(wish, source, wish.uid_mappings, {});
    CHECK(wish.uid_mappings == IdMappings{{0, 500000, kIdBlock}});
}

TEST_CASE("sandboxes that are made at once get blocks of their own, and a deleted one's is free") {
    World world;
    Daemon daemon(world, with_blocks(2));
    auto first = daemon.begin(daemon.engine.create_sandbox(user_sandbox("first")));
    auto second = daemon.begin(daemon.engine.create_sandbox(user_sandbox("second")));
    daemon.finish(first);
    daemon.finish(second);
    const auto ids_of = [&](const std::string& id) {
        return world.shim(id).sandbox.value().uid_mappings.at(0).host_id;
    };
    CHECK(ids_of("first") != ids_of("second"));
    CHECK(error_of([&] {
              daemon.run(daemon.engine.create_sandbox(user_sandbox("third")));
          }).code() == Code::resource_exhausted);
    const auto freed = ids_of("first");
    daemon.run(daemon.engine.delete_sandbox("first", true));
    daemon.run(daemon.engine.create_sandbox(user_sandbox("third")));
    CHECK(ids_of("third") == freed);
    CHECK(daemon.run(daemon.engine.create_sandbox(user_sandbox("third"))).was_there);
    CHECK(error_of([&] {
              daemon.run(daemon.engine.create_sandbox(user_sandbox("third", {{0, 7, 1}})));
          }).code() == Code::already_exists);
}

TEST_CASE("a sandbox's wish and ids are the same after a restart") {
    World world;
    {
        Daemon daemon(world, with_blocks(2));
        daemon.run(daemon.engine.create_sandbox(user_sandbox("auto")));
        daemon.run(daemon.engine.create_sandbox(user_sandbox("own", {{0, 900000, 10}})));
    }
    Daemon daemon(world, with_blocks(2));
    CHECK(daemon.engine.sandbox("own").request.namespaces.at("user").gid_mappings ==
          IdMappings{{0, 900000, 10}});
    CHECK(daemon.engine.sandbox("own").facts.uid_mappings == IdMappings{{0, 900000, 10}});
    CHECK(daemon.run(daemon.engine.create_sandbox(user_sandbox("auto"))).was_there);
    const auto made = daemon.run(daemon.engine.create_sandbox(user_sandbox("next"))).view;
    CHECK(made.facts.uid_mappings == IdMappings{{0, kFirst + kIdBlock, kIdBlock}});
    // Whoever names ids that are another's is told, for as long as they are.
    const auto same =
        daemon.run(daemon.engine.create_sandbox(user_sandbox("same", {{0, 900009, 1}})));
    REQUIRE(same.view.facts.warnings.size() == 1);
    CHECK(same.view.facts.warnings[0].find("'own'") != std::string::npos);
    daemon.run(daemon.engine.delete_sandbox("same", true));
    CHECK(daemon.engine.sandbox("own").facts.warnings.empty());
}
