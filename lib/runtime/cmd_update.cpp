// covey-runtime update: other limits for a container that is there. Device rules are not among
// them, as in runc: what is open stays open.
#include "cgroup/systemd.hpp"
#include "covey/error.hpp"
#include "launch/launcher.hpp"
#include "plan/resources.hpp"
#include "runtime/commands.hpp"
#include "runtime/console.hpp"
#include "runtime/failure.hpp"
#include "runtime/group_of.hpp"
#include "runtime/systemd.hpp"
#include "runtime/update_flags.hpp"
#include "spec/load.hpp"
#include "sys/file.hpp"

#include <unistd.h>

namespace covey::runtime {
namespace {

std::string read_document(const std::string& name) {
    if (name == "-")
        return sys::read_all(FdRef{STDIN_FILENO}, spec::kLargestConfig).or_throw("read", "stdin");
    return read_named(name, "resources", spec::kLargestConfig);
}

/// As its own configuration means it: engines before version 1.3 write it for "not set".
bool limits_to_no_process(const ContainerFolder& folder) {
    const auto text = sys::read_file_at(folder.fd(), launch::kConfigName, spec::kLargestConfig)
                          .or_throw("read", launch::kConfigName);
    return spec::limits_to_no_process(spec::load(text).oci_version);
}

int update(Invocation& call) {
    UpdateFlags wishes;
    Flags flags;
    wishes.add_to(flags);
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    auto resources = wishes.resources.empty()
                         ? wishes.read()
                         : spec::load_resources(read_document(wishes.resources));
    GroupedContainer container{call.globals.root, words->front(), "be updated"};
    if (resources.pids_limit == 0 && !limits_to_no_process(container.folder))
        resources.pids_limit.reset();
    auto read = plan::limits_of(resources, plan::LimitsFor::update);
    if (!read.problems.empty()) throw spec::SpecError("resources", std::move(read.problems));
    for (const auto& warning : read.warnings)
        report_warning(warning);
    container.folder.lock(1);
    if (!container.view.record.systemd_unit.empty())
        cgroup::keep_bandwidth(read.limits, container.host, container.group);
    // systemd first: what it writes is coarser than what the files take.
    set_scope_properties(container.view.record, container.host, container.group, read.limits);
    container.group.pass_on_controllers();
    container.group.apply(read.limits);
    return 0;
}

}  // namespace

const Command kUpdate{"update", "ID", "change the limits of a container", update};

}  // namespace covey::runtime
