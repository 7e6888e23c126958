#include "runtime/late_hooks.hpp"

#include "covey/error.hpp"
#include "launch/hooks.hpp"
#include "launch/launcher.hpp"
#include "runtime/failure.hpp"
#include "runtime/state_codec.hpp"
#include "spec/load.hpp"
#include "sys/file.hpp"

namespace covey::runtime {
namespace {}  // namespace

spec::Hooks read_hooks(const ContainerFolder& folder) {
    const auto text = sys::read_file_at(folder.fd(), launch::kConfigName, spec::kLargestConfig)
                          .or_throw("read", launch::kConfigName);
    return spec::load(text).hooks;
}

void run_poststart_hooks(const spec::Hooks& hooks, const core::ContainerRecord& record) {
    launch::run_hooks(hooks.poststart, "poststart",
                      encode_hook_state(record, "running", record.pid));
}

void run_poststop_hooks(const spec::Hooks& hooks, const core::ContainerRecord& record) {
    const auto state = encode_hook_state(record, "stopped", 0);
    for (std::size_t i = 0; i < hooks.poststop.size(); ++i)
        try {
            launch::run_hook(hooks.poststop[i], "poststop", i, state);
        } catch (const Error& error) {
            report_warning(error.what());
        }
}

}  // namespace covey::runtime
