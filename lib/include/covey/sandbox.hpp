// covey::Sandbox: a pod's namespaces, the pause process that holds them, and its shim.
//
//     auto sandbox = covey::Sandbox::create("web", {});
//     auto nginx = sandbox.create_container("nginx", "/bundles/nginx", {.pid_mode =
//     covey::PidMode::pod}); nginx.start();
//
// Thread rule: each object may be used from any thread of any program, by several at once too (a
// wait() holds up nobody); the forking is done by the shim, never by the caller's process.
// Every call blocks until the shim has answered, at most 30 s if nothing else is said:
// Code::timeout then. Errors: covey::Error; sandbox_gone whenever the shim has died. The shim is a
// child of the process that called create(), which reaps it in remove(). It outlives that process.
#pragma once

#include "covey/container.hpp"
#include "covey/error.hpp"
#include "covey/options.hpp"

#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace covey {

class Sandbox {
  public:
    /// Ready when it returns (typically 2 ms, at most 30 s). Throws already_exists,
    /// invalid_argument, unsupported_by_host, permission_denied; nothing is left behind then.
    static Sandbox create(std::string_view id, const SandboxOptions& options);
    /// Finds a sandbox that was created with the same state root, also by a process that is gone.
    /// Throws not_found; sandbox_gone if its shim has died: then discard() it.
    static Sandbox open(std::string_view id, const std::string& state_root);
    /// What remove() does, for a sandbox that cannot be opened: kills what is left of it and
    /// removes its cgroups, pins and state. Not there: nothing. At most about a minute.
    static void discard(std::string_view id, const std::string& state_root);

    Sandbox(Sandbox&&) noexcept;
    Sandbox& operator=(Sandbox&&) noexcept;
    /// Lets go of the handle; the pod runs on. `remove()` ends it.
    ~Sandbox();

    [[nodiscard]] const std::string& id() const noexcept;
    /// Host number of pause; 0 once stopped.
    [[nodiscard]] pid_t pid() const;
    /// Path of a namespace of the pod, valid while the sandbox exists. `type`: pid, net, ipc, uts,
    /// time.
    [[nodiscard]] std::string namespace_path(std::string_view type) const;

    /// `bundle` is an absolute path of an OCI bundle. The container's main process waits for
    /// start().
    Container create_container(std::string_view id, const std::string& bundle,
                               const ContainerOptions& options);
    /// Throws not_found.
    Container container(std::string_view id);

    /// Kills every container, then pause. Idempotent. At most 30 s.
    void stop();
    /// stop(), then removes cgroups, pins and state, also when the shim is dead. Idempotent. At
    /// most about a minute. Throws timeout when processes cannot be killed; state is kept for
    /// another try.
    void remove();

  private:
    friend class Container;
    struct State;
    explicit Sandbox(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace covey
