#include "base/text.hpp"
#include "core/access.hpp"
#include "covey/error.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <utility>

#include <fcntl.h>

namespace covey::core {
namespace {

constexpr std::size_t kDeepest = 33;  // 32 levels below the first, of both kinds

/// The namespace and those around it, as far out as our own.
std::vector<UniqueFd> chain_of(FdRef process, const char* file) {
    std::vector<UniqueFd> chain;
    auto current = sys::open_at(process, file, O_RDONLY);
    while (current && chain.size() < kDeepest) {
        chain.push_back(std::move(current).value());
        current = sys::parent_namespace(chain.back());
    }
    return chain;
}

std::uint64_t inode_of(FdRef name_space) {
    const auto id = sys::namespace_id(name_space);
    return id ? id.value().inode : 0;
}

/// Files of a process that is not dumpable belong to root (proc(5)); where the process is root
/// itself, only a newer kernel can tell.
AccessFacts::Dumpable dumpable_of(FdRef process, pid_t pid, uid_t uid) {
    using Dumpable = AccessFacts::Dumpable;
    if (const auto pidfd = sys::pidfd_open(pid))
        if (const auto said = sys::is_dumpable(pidfd.value()); said && said.value())
            return *said.value() ? Dumpable::yes : Dumpable::no;
    const auto status = sys::stat_at(process, "stat");
    if (uid == 0 || !status) return Dumpable::unknown;
    return status.value().st_uid == uid ? Dumpable::yes : Dumpable::no;
}

std::vector<spec::IdMapping> id_map_of(FdRef process, const char* file) {
    const auto text = sys::read_file_at(process, file, 64U << 10U);
    return text ? spec::parse_id_map(text.value()) : std::vector<spec::IdMapping>{};
}

int yama_scope(FdRef proc) {
    const auto text = sys::read_file_at(proc, "sys/kernel/yama/ptrace_scope", 64);
    return text ? static_cast<int>(parse_u32(trim(text.value())).value_or(0)) : 0;
}

}  // namespace

AccessFacts read_access_facts(FdRef proc, std::string name, pid_t pid) {
    const auto gone = [&] {
        return Error(Code::not_found, fmt::format("process {} of '{}' has just ended", pid, name))
            .with_fix("ask again");
    };
    // All of this very process, even if its number is given anew meanwhile.
    const auto folder = sys::open_dir_at(proc, std::to_string(pid));
    if (!folder) throw gone();
    const FdRef process = folder.value();
    const auto text = sys::read_file_at(process, "status", 64U << 10U);
    const auto status =
        text ? sys::parse_status(text.value()) : Result<sys::ProcessStatus>{Errno{text.error()}};
    if (!status) throw gone();
    AccessFacts facts;
    facts.name = std::move(name);
    facts.pid = pid;
    facts.uids = status.value().uids;
    facts.gids = status.value().gids;
    facts.effective = status.value().cap_effective;
    facts.permitted = status.value().cap_permitted;
    facts.bounding = status.value().cap_bounding;
    facts.no_new_privs = status.value().no_new_privs;
    for (const auto& one : chain_of(process, "ns/pid"))
        facts.pid_namespaces.push_back(inode_of(one));
    for (const auto& one : chain_of(process, "ns/user")) {
        const auto owner = sys::namespace_owner(one);
        facts.user_namespaces.push_back({inode_of(one), owner ? owner.value() : 0});
    }
    if (facts.pid_namespaces.empty() || facts.user_namespaces.empty()) throw gone();
    facts.uid_map = id_map_of(process, "uid_map");
    facts.gid_map = id_map_of(process, "gid_map");
    facts.dumpable = dumpable_of(process, pid, facts.uids[1]);
    facts.is_first = status.value().ns_pids.back() == 1;
    facts.has_seccomp = status.value().seccomp != 0;
    facts.tracer = status.value().tracer;
    facts.yama = yama_scope(proc);
    return facts;
}

}  // namespace covey::core
