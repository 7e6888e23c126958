// A bundle, read: a folder with a config.json. Thread rule: any thread. Blocks as files do.
#pragma once

#include "spec/types.hpp"

#include <string>

namespace covey::launch {

/// The bundle's checked configuration. Used by run_launcher, covey-runtime and --dump-plan.
struct Bundle {
    std::string text;  // config.json as it is
    spec::Spec spec;
};
/// config.json may be a pipe where the caller itself wrote the command line: read to its end.
enum class Pipes { refused, read };
[[nodiscard]] Bundle read_bundle(const std::string& folder, Pipes pipes = Pipes::refused);

}  // namespace covey::launch
