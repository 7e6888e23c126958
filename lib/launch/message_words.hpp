// How a packet of the hand-shake is written: its kind, then fields that each end with a NUL. Used
// by message.cpp and message_decoding.cpp alone.
#pragma once

#include <cstddef>

namespace covey::launch {

inline constexpr char kPrepared = 'P', kHooksDue = 'H', kGo = 'G', kAgent = 'A', kListener = 'L',
                      kSpawner = 'S', kNeighboursDue = 'N', kBetween = 'B', kDropped = 'D',
                      kAlive = 'I', kTerminal = 'T', kReady = 'R', kFailed = 'F';
/// Of what is shown to people only: cut what would not fit into one packet.
inline constexpr std::size_t kMostItems = 64, kLongestItem = 1024;

}  // namespace covey::launch
