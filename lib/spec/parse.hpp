// One function for each object of config.json; each notes what is wrong in its own object. Rules
// between objects are in validate. Internal to lib/spec: called by load and by each other.
// Thread rule: one thread. Do not block.
#pragma once

#include "spec/id_mappings.hpp"
#include "spec/object_reader.hpp"
#include "spec/types.hpp"

namespace covey::spec {

void parse_spec(ObjectReader& reader, Spec& spec);
void parse_process(ObjectReader& reader, Process& process);
void parse_mount(ObjectReader& reader, Mount& mount);
void parse_linux(ObjectReader& reader, Linux& out);
void parse_resources(ObjectReader& reader, Resources& resources);
void parse_seccomp(ObjectReader& reader, Seccomp& seccomp);

/// The array `key` of {containerID, hostID, size}; overlaps and overflows are problems.
void parse_id_mappings(ObjectReader& reader, std::string_view key, std::vector<IdMapping>& out);
/// The array `key` of NAME=value.
void parse_environment(ObjectReader& reader, std::string_view key, std::vector<std::string>& out);
/// A text that must be an absolute path when it is there and not empty.
bool parse_absolute(ObjectReader& reader, std::string_view key, std::string& out,
                    Need need = Need::optional);
/// A text without control bytes.
bool parse_name(ObjectReader& reader, std::string_view key, std::string& out,
                Need need = Need::optional);

/// Rules between objects; run after parsing, on what was parsed without fault.
void validate(const Spec& spec, Collector& problems);

}  // namespace covey::spec
