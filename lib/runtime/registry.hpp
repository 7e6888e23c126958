// The registry of engines' containers: one small file for each in a folder that coveyd watches
// (/run/covey/engines, COVEY_REGISTRY), saying where the container's state is. A report, nothing
// more: who cannot write there runs containers all the same. Thread rule: single-threaded. Blocks
// as the filesystem does.
#pragma once

#include <string>

namespace covey::runtime {

void add_to_registry(const std::string& root, const std::string& id) noexcept;
void remove_from_registry(const std::string& root, const std::string& id) noexcept;

}  // namespace covey::runtime
