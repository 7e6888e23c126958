// Inside the probe only: what `prowl` (prowl.cpp) tries on one process, and what it got by that.
// Thread rule: single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <sys/types.h>

namespace probe {

/// What `hold` keeps in its memory. The program is not relocatable: the same address in each.
extern char g_secret[64];

/// Counts by way. A way that worked is "reached", whatever it brought; "exists" is one that tells
/// no more than that there is such a process (and numbers about it).
struct Loot {
    explicit Loot(std::string the_token) : token(std::move(the_token)) {}
    /// Canaries in what a way brought are kept by the name of their place.
    void look(const std::string& way, const std::string& bytes);
    void reach(const std::string& way) { ++reached[way]; }
    void exist(const std::string& way) { ++exists[way]; }

    std::string token;
    std::map<std::string, std::uint64_t> canaries, reached, exists;
    std::set<std::string> places;
    std::uint64_t tries = 0;
};

/// Every file, link and folder of a process's folder in a procfs, and what lies behind them.
void try_files(Loot& loot, const std::string& folder);
/// By another path to the same folder: the most telling files.
void try_detour(Loot& loot, const std::string& folder);
/// System calls that take its number, and those that take a pidfd.
void try_calls(Loot& loot, pid_t pid);
void try_pidfd(Loot& loot, pid_t pid);
/// What would end it, or wake it, if it could be reached.
void try_signals(Loot& loot, pid_t pid);

}  // namespace probe
