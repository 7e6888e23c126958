#include "runtime/sharing.hpp"

#include "catch.hpp"
#include "covey/error.hpp"

using namespace covey;
using namespace covey::runtime;
using spec::PidMode;

namespace {

const Annotations kNamed{{"covey.dev/pid", "container"},
                         {"covey.dev/pid.app", "nested"},
                         {"covey.dev/access", "observer"},
                         {"covey.dev/access.app", "private"}};

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
    CHECK(sharing_of(kNamed, "x") == Sharing{PidMode::container, spec::kObserver});
    for (const char* key : {"io.kubernetes.cri.container-name", "io.kubernetes.container.name"}) {
        CHECK(sharing_of(with({{key, "app"}}), "x") == Sharing{PidMode::nested, spec::kPrivate});
        CHECK(sharing_of(with({{key, "ap"}}), "x") == Sharing{PidMode::container, spec::kObserver});
    }
}

TEST_CASE("a pod's sandbox container is not restricted, whatever the pod asks for") {
    CHECK(sharing_of(with({{"io.kubernetes.cri.container-type", "sandbox"}}), "x") == Sharing{});
    CHECK(sharing_of(with({{"io.kubernetes.cri-o.ContainerType", "sandbox"}}), "x") == Sharing{});
    // Podman has no type: its infra container is the sandbox that it names.
    CHECK(sharing_of(with({{"io.kubernetes.cri-o.SandboxID", "x"}}), "x") == Sharing{});
    CHECK(sharing_of(with({{"io.kubernetes.cri-o.SandboxID", "y"}}), "x") != Sharing{});
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
