// One record in one file: a JSON object wrapped with the schema's number and the boot it belongs
// to. What is recorded names processes and mounts, which mean nothing after a reboot: so a reader
// is told whether the record is of this boot, and a damaged one is reported, never guessed at.
// Called by coveyd's engine. Thread rule: pure but for the file. Blocks as the filesystem does.
#pragma once

#include "base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace covey::store {

/// Raised when a reader of the old form would misunderstand the new one. New keys need no new
/// number: readers pass over keys that they do not know.
inline constexpr int kRecordSchema = 1;

/// Written to a temporary name and renamed: readers see the old record or the new one. `body` is
/// one JSON object; invalid_argument if it is not. Throws what the filesystem says.
void write_record(FdRef folder, const std::string& name, std::string_view body,
                  std::string_view boot_id);

enum class RecordState {
    valid,
    absent,
    foreign_boot,  // whole, but of an earlier boot: `body` is given
    newer_schema,  // written by a later Covey
    damaged,       // no such JSON, or a piece is missing
};
struct RecordResult {
    RecordState state = RecordState::absent;
    std::string body;     // the JSON object, for valid and foreign_boot
    std::string problem;  // what is wrong, naming the file; empty when valid
};
/// Never throws for what the file holds; throws for what the filesystem says (EACCES, EIO …).
[[nodiscard]] RecordResult read_record(FdRef folder, const std::string& name,
                                       std::string_view boot_id);

}  // namespace covey::store
