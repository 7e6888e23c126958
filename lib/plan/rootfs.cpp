// root, rootfsPropagation, masked and read-only paths.
#include "plan/sections.hpp"

#include <fmt/format.h>

#include <set>

#include <linux/mount.h>

namespace covey::plan {
namespace {

void propagation(Sections& s) {
    auto& root = s.plan.root;
    using P = spec::Propagation;
    const auto set = [&](std::uint64_t flag, bool recursive) {
        root.propagation = flag;
        root.propagation_recursive = recursive;
    };
    switch (s.spec.linux.rootfs_propagation) {
        case P::unset:
            return;
        case P::shared:
            return set(MS_SHARED, false);
        case P::rshared:
            return set(MS_SHARED, true);
        case P::slave:
            return set(MS_SLAVE, false);
        case P::rslave:
            return set(MS_SLAVE, true);
        case P::private_:
            return set(MS_PRIVATE, false);
        case P::rprivate:
            return set(MS_PRIVATE, true);
        case P::unbindable:
            return set(MS_UNBINDABLE, false);
        case P::runbindable:
            return set(MS_UNBINDABLE, true);
    }
}

}  // namespace

void compile_root(Sections& s) {
    if (!s.spec.root || s.spec.root->path.empty()) {
        s.problem("/root/path", "required: the folder with the container's root filesystem");
        return;
    }
    const auto& path = s.spec.root->path;
    s.plan.root.host_path = path.starts_with('/') ? path : s.request.bundle + "/" + path;
    propagation(s);
}

void compile_protected_paths(Sections& s) {
    const auto& linux_part = s.spec.linux;
    const auto each = [&](const std::vector<std::string>& paths, std::string_view name, auto make) {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < paths.size(); ++i) {
            const auto path = clean_path(paths[i]);
            if (paths[i].empty() || path == "/")
                s.problem(fmt::format("/linux/{}/{}", name, i), "must be a path below the root");
            else if (seen.insert(path).second)
                s.protect(make(path));
        }
    };
    each(linux_part.masked_paths, "maskedPaths", [](const auto& path) { return MaskPath{path}; });
    each(linux_part.readonly_paths, "readonlyPaths",
         [](const auto& path) { return ReadonlyPath{path}; });
    if (s.spec.root && s.spec.root->readonly) s.protect(ReadonlyRoot{});
}

}  // namespace covey::plan
