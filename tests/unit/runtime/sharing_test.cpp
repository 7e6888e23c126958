#include "runtime/sharing.hpp"

#include "catch.hpp"
#include "covey/error.hpp"
#include "runtime/pod_sandbox.hpp"

using namespace covey;
using namespace covey::runtime;
using spec::PidMode;

namespace {

const Annotations kNamed{{"covey.dev/pid", "container"},
                         {"covey.dev/pid.app", "nested"},
                         {"covey.dev/access", "observer"},
                         {"covey.dev/access.app", "private"}};

struct Keys {
    const char *sandbox, *type;
};
constexpr Keys kContainerd{"io.kubernetes.cri.sandbox-id", "io.kubernetes.cri.container-type"};
constexpr Keys kCrio{"io.kubernetes.cri-o.SandboxID", "io.kubernetes.cri-o.ContainerType"};

Annotations with(Annotations more) {
    more.insert(kNamed.begin(), kNamed.end());
    return more;
}

std::string refusal(const Annotations& annotations, std::string_view id = "x") {
    try {
        (void)sharing_of(annotations, id);
    } catch (const Error& error) {
        CHECK(error.code() == Code::invalid_argument);
        CHECK(!error.fix().empty());
        return error.detail();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("without annotations of ours a container is what its specification says") {
    CHECK(sharing_of({{"io.kubernetes.cri.sandbox-id", "s"}, {"other.dev/pid", "?"}}, "x") ==
          Sharing{});
}

TEST_CASE("what names a container counts before what is for its whole pod") {
    for (const char* key : {"io.kubernetes.cri.container-name", "io.kubernetes.container.name"}) {
        CHECK(sharing_of(with({{key, "app"}}), "x") == Sharing{PidMode::nested, spec::kPrivate});
        CHECK(sharing_of(with({{key, "ap"}}), "x") == Sharing{PidMode::container, spec::kObserver});
    }
}

TEST_CASE("what names a container is refused where nobody says how this one is called") {
    CHECK(refusal(kNamed).find("names a container") != std::string::npos);
    // The other engine's key is anybody's.
    CHECK(refusal(with({{"io.kubernetes.cri.sandbox-id", "s"},
                        {"io.kubernetes.container.name", "app"}}))
              .find("names a container") != std::string::npos);
}

TEST_CASE("a pod's sandbox container is not restricted, whatever the pod asks for") {
    for (const auto& keys : {kContainerd, kCrio}) {
        CHECK(sharing_of(with({{keys.type, "sandbox"}, {keys.sandbox, "x"}}), "x") == Sharing{});
        CHECK(sharing_of({{"covey.dev/pid", "pod"}, {keys.type, "container"}, {keys.sandbox, "x"}},
                         "x") == Sharing{PidMode::pod, {}});
    }
    // Podman has no type: its infra container is the sandbox that it names.
    CHECK(sharing_of(with({{"io.kubernetes.cri-o.SandboxID", "x"}}), "x") == Sharing{});
}

TEST_CASE("a type that anybody wrote drops no annotation of ours") {
    const Annotations wish{{"covey.dev/access", "private"}};
    const auto and_wish = [&](Annotations more) {
        more.insert(wish.begin(), wish.end());
        return more;
    };
    for (const auto& keys : {kContainerd, kCrio}) {
        CHECK(refusal(and_wish({{keys.type, "sandbox"}})).find("is about no sandbox") !=
              std::string::npos);
        CHECK(refusal(and_wish({{keys.type, "sandbox"}, {keys.sandbox, "s"}}))
                  .find("its pod's sandbox is 's'") != std::string::npos);
    }
    // Beside the engine's own.
    CHECK(refusal(
              and_wish(
                  {{kCrio.type, "container"}, {kCrio.sandbox, "s"}, {kContainerd.type, "sandbox"}}))
              .find("annotations of two engines disagree: io.kubernetes.cri.sandbox-id") == 0);
}

TEST_CASE("keys of two engines that disagree are refused by name") {
    const auto both = [](const char* key, const char* value) {
        Annotations all{{"covey.dev/pid", "pod"},
                        {kCrio.type, "container"},
                        {kCrio.sandbox, "own"},
                        {kContainerd.type, "container"},
                        {kContainerd.sandbox, "own"}};
        all[key] = value;
        return all;
    };
    CHECK(sharing_of(both(kCrio.sandbox, "own"), "x") == Sharing{PidMode::pod, {}});
    for (const auto& keys : {kContainerd, kCrio})
        for (const char* key : {keys.type, keys.sandbox})
            CHECK(refusal(both(key, "victim")).find("two engines disagree") != std::string::npos);
    auto named = both(kCrio.sandbox, "own");
    named["io.kubernetes.cri.container-name"] = "app";
    named["io.kubernetes.container.name"] = "other";
    CHECK(refusal(named).find("two engines disagree") != std::string::npos);
    // Podman's mark is enough: it says nothing more of a container without a pod.
    CHECK(refusal({{"covey.dev/pid", "pod"},
                   {"io.container.manager", "libpod"},
                   {kContainerd.sandbox, "victim"}})
              .find("two engines disagree") != std::string::npos);
    // Nothing is asked of us: nothing is refused.
    auto silent = both(kCrio.sandbox, "victim");
    silent.erase("covey.dev/pid");
    CHECK(sharing_of(silent, "x") == Sharing{});
}

TEST_CASE("a cgroup parent is the folder, or systemd's slice") {
    CHECK(cgroup_parent("/kubepods/pod1/c") == "/kubepods/pod1");
    CHECK(cgroup_parent("kubepods-pod1.slice:cri-containerd:c") == "kubepods-pod1.slice");
    CHECK(cgroup_parent("c").empty());
    CHECK(cgroup_parent("").empty());
}

TEST_CASE("unknown keys and values of ours are refused, whomever they concern") {
    CHECK(refusal({{"covey.dev/pid", "target"}}) ==
          "annotation covey.dev/pid: unknown value 'target'");
    CHECK(refusal({{"covey.dev/access.other", "Private"}}).find("'Private'") != std::string::npos);
    CHECK(refusal({{"covey.dev/pids", "pod"}}).find("did you mean 'covey.dev/pid'") !=
          std::string::npos);
    CHECK(refusal({{"covey.dev/access.", "open"}}).find("unknown annotation") == 0);
    CHECK(refusal({{"covey.dev/pid", "x"}, {"io.kubernetes.cri.container-type", "sandbox"}}) !=
          "accepted");
}
