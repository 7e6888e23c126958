#include "runtime/sharing.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "runtime/pod_sandbox.hpp"
#include "spec/engine_annotations.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include <fcntl.h>
#include <sched.h>

namespace covey::runtime {
namespace {

constexpr std::string_view kPrefix = "covey.dev/", kPid = "covey.dev/pid",
                           kAccess = "covey.dev/access";
constexpr std::array kKeys{kPid, kAccess};
constexpr std::array<std::string_view, 3> kPidModes{"pod", "nested", "container"};

Error unknown_value(std::string_view key, const std::string& value,
                    std::span<const std::string_view> known) {
    return Error(Code::invalid_argument, fmt::format("annotation {}: unknown value '{}'{}", key,
                                                     value, did_you_mean(value, known)))
        .with_fix(fmt::format("use {}", fmt::join(known, ", ")));
}

spec::PidMode pid_mode_of(std::string_view key, const std::string& value) {
    if (std::find(kPidModes.begin(), kPidModes.end(), value) == kPidModes.end())
        throw unknown_value(key, value, kPidModes);
    return *spec::pid_mode(value);
}

spec::Access access_of(std::string_view key, const std::string& value) {
    const auto preset = spec::access_preset(value);
    if (!preset) throw unknown_value(key, value, spec::kAccessPresets);
    return *preset;
}

/// Both kinds of a key, the one of a name last.
class Reader {
  public:
    Reader(const Annotations& annotations, std::string_view name)
        : annotations_(annotations), name_(name) {}

    Sharing read() {
        for (const auto& [key, value] : annotations_)
            if (key.starts_with(kPrefix)) take(key, value);
        return {own_pid_ ? own_pid_ : pod_pid_, own_access_.value_or(pod_access_)};
    }

    /// A key that names a container. Is this one meant? It must be known.
    [[nodiscard]] const std::string& naming() const noexcept { return naming_; }

  private:
    void take(std::string_view key, const std::string& value) {
        if (key == kPid)
            pod_pid_ = pid_mode_of(key, value);
        else if (key == kAccess)
            pod_access_ = access_of(key, value);
        else if (const auto of_pid = name_in(key, kPid); !of_pid.empty())
            take_own(own_pid_, key, of_pid, pid_mode_of(key, value));
        else if (const auto of_access = name_in(key, kAccess); !of_access.empty())
            take_own(own_access_, key, of_access, access_of(key, value));
        else
            throw Error(Code::invalid_argument,
                        fmt::format("unknown annotation {}{}", key, did_you_mean(key, kKeys)))
                .with_fix(fmt::format("use {0} or {1}, for one container of a pod {0}.<name> or "
                                      "{1}.<name>",
                                      kPid, kAccess));
    }

    static std::string_view name_in(std::string_view key, std::string_view base) {
        return key.starts_with(base) && key.size() > base.size() && key[base.size()] == '.'
                   ? key.substr(base.size() + 1)
                   : std::string_view{};
    }

    template <typename T>
    void take_own(std::optional<T>& out, std::string_view key, std::string_view name,
                  const T& value) {
        naming_ = key;
        if (name == name_) out = value;
    }

    const Annotations& annotations_;
    std::string_view name_;
    std::string naming_;
    std::optional<spec::PidMode> pod_pid_, own_pid_;
    spec::Access pod_access_;
    std::optional<spec::Access> own_access_;
};

spec::Namespace* pid_entry(spec::Spec& spec) {
    auto& list = spec.linux.namespaces;
    const auto found = std::find_if(list.begin(), list.end(), [](const auto& entry) {
        return entry.type == spec::NamespaceType::pid;
    });
    return found == list.end() ? nullptr : &*found;
}

void refuse_host_namespace(spec::PidMode mode, FdRef file, const std::string& path) {
    const auto own = sys::open("/proc/self/ns/pid", O_RDONLY).or_throw("open", "own PID namespace");
    if (sys::namespace_id(file).or_throw("stat", path) !=
        sys::namespace_id(own).or_throw("stat", "own PID namespace"))
        return;
    throw Error(Code::invalid_argument,
                fmt::format("annotation {}={}: {} is the host's PID namespace", kPid,
                            spec::pid_mode_name(mode), path))
        .with_fix(fmt::format("use {}=container, which is the same then", kPid));
}

}  // namespace

Sharing sharing_of(const Annotations& annotations, std::string_view id) {
    const auto first = annotations.lower_bound(std::string{kPrefix});
    if (first == annotations.end() || !first->first.starts_with(kPrefix)) return {};
    const auto words = spec::engine_words(annotations);
    Reader reader{annotations, words.name};
    auto sharing = reader.read();
    if (words.are_of_sandbox(id)) return {};
    if (words.type == "sandbox")
        throw Error(Code::invalid_argument,
                    fmt::format("annotation {} is about no sandbox container, and an annotation "
                                "says that container {} is one; its pod's sandbox is '{}'",
                                first->first, id, words.sandbox))
            .with_fix("leave out the annotation of the container's type, which is its engine's");
    if (words.name.empty() && !reader.naming().empty())
        throw Error(Code::invalid_argument,
                    fmt::format("annotation {} names a container, and no annotation of the "
                                "engine's says how this one is called",
                                reader.naming()))
            .with_fix(fmt::format("use {} or {}", kPid, kAccess));
    return sharing;
}

SharedNamespace share_namespace(spec::Spec& spec, const Sharing& sharing,
                                const ContainerStore& store) {
    if (!sharing.pid) return {};
    auto* entry = pid_entry(spec);
    if (*sharing.pid == spec::PidMode::container) {
        if (entry == nullptr) entry = &spec.linux.namespaces.emplace_back();
        *entry = {spec::NamespaceType::pid, ""};
        return {};
    }
    if (entry == nullptr)
        throw Error(Code::invalid_argument,
                    fmt::format("annotation {}={}: the container has the host's PID namespace "
                                "(linux.namespaces has no entry of type pid)",
                                kPid, spec::pid_mode_name(*sharing.pid)))
            .with_fix("run it without the host's PID namespace, or take the annotation out");
    const bool nests = *sharing.pid == spec::PidMode::nested;
    if (!entry->path.empty() && !nests) return {};
    SharedNamespace shared;
    shared.nests = nests;
    shared.file = entry->path.empty() ? pid_namespace_of_sandbox(spec, *sharing.pid, store)
                                      : sys::open(entry->path, O_RDONLY | O_NOCTTY)
                                            .or_throw("open PID namespace", entry->path);
    // The launcher refuses by the path's name what is no PID namespace.
    if (sys::namespace_type(shared.file).value_or(0) != CLONE_NEWPID) return {{}, nests};
    if (nests || entry->path.empty())
        refuse_host_namespace(*sharing.pid, shared.file,
                              entry->path.empty() ? "the sandbox's" : entry->path);
    // From here on one and the same, whatever the path's process does.
    entry->path = sys::fd_path(shared.file);
    return shared;
}

}  // namespace covey::runtime
