// What coveyd (or the façade) and a shim say to each other, as types. One SOCK_SEQPACKET packet is
// one message; core/protocol turns these into bytes and back. The table of all messages:
//
// clang-format off
//   client → shim     shim → client (one answer, same number)
//   CreateSandbox     SandboxFacts
//   CreateContainer   ContainerFacts
//   StartContainer    ContainerFacts     after a clean exec
//   KillContainer     Done
//   PauseContainer    ContainerFacts     of one that is paused already too
//   ResumeContainer   ContainerFacts     the same of one that runs
//   UpdateContainer   Done               when the limits are in force
//   ResizeContainer   Done
//   DeleteContainer   Done               after the group is proved empty
//   Exec              ExecFacts          with stdin, stdout, stderr; its answer with a pty's master
//   KillExec          Done
//   StopSandbox       SandboxFacts       after pause is reaped
//   Status            StatusItem…, Done  one packet an item: no limit on their number
//   Shutdown          Done               then the shim ends; refused while anything runs
//   –                 Event              to every connected client, no number
// clang-format on
//
// Thread rule: values.
#pragma once

#include "core/facts.hpp"
#include "covey/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace covey::core {

struct CreateSandbox {
    SandboxConfig config;
};
struct CreateContainer {
    ContainerConfig config;
};
struct StartContainer {
    std::string id;
};
struct KillContainer {
    std::string id;
    int signal = 15;
    bool all = false;  // every process of the container's cgroup
};
/// Every process of the container, its execs included, stands still.
struct PauseContainer {
    std::string id;
};
struct ResumeContainer {
    std::string id;
};
/// Other limits; what they do not name stays as it is.
struct UpdateContainer {
    std::string id;
    std::string resources;  // OCI's linux.resources, JSON
};
/// Of its terminal.
struct ResizeContainer {
    std::string id;
    std::uint16_t rows = 0, columns = 0;
};
struct DeleteContainer {
    std::string id;
    bool force = false;  // kill first
};
struct Exec {
    ExecConfig config;
};
struct KillExec {
    std::string container, exec;
};
struct StopSandbox {};
struct Status {};
struct Shutdown {};

using RequestBody = std::variant<CreateSandbox, CreateContainer, StartContainer, KillContainer,
                                 PauseContainer, ResumeContainer, UpdateContainer, ResizeContainer,
                                 DeleteContainer, Exec, KillExec, StopSandbox, Status, Shutdown>;
struct Request {
    std::uint64_t number = 0;  // chosen by the client, comes back with the answer
    RequestBody body;
};

struct Done {};
/// One thing the shim holds; `more` packets follow until Done.
struct StatusItem {
    std::variant<SandboxFacts, ContainerFacts, ExecFacts> item;
};
using ReplyBody = std::variant<Done, SandboxFacts, ContainerFacts, ExecFacts, StatusItem, Error>;
struct Reply {
    std::uint64_t number = 0;
    ReplyBody body;
};

/// A start, a pause or a resume has been carried out whose client has left meanwhile: told to
/// whoever came after it. (One word for all: an older coveyd knows it.)
struct ContainerStarted {
    ContainerFacts facts;
};
/// The main process ended and every process of its group is gone.
struct ContainerExited {
    std::string id;
    ExitRecord exit;
};
struct ExecExited {
    std::string container, exec;
    ExitRecord exit;
};
/// pause is gone, and with it the pod.
struct SandboxStopped {
    std::string reason;
    std::optional<ExitRecord> exit = std::nullopt;  // of pause
};
using Event = std::variant<ContainerExited, ExecExited, SandboxStopped, ContainerStarted>;

using ShimMessage = std::variant<Reply, Event>;

}  // namespace covey::core
