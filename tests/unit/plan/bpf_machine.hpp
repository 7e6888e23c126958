// The kernel's classic BPF machine, as far as seccomp filters use it: an independent reading of
// what a compiled profile does. Throws on anything that seccomp(2) would refuse.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>

namespace covey::plan::test {

struct SystemCall {
    std::uint32_t architecture = 0;
    int number = 0;
    std::array<std::uint64_t, 6> args{};
};

inline std::uint32_t load_word(const seccomp_data& data, std::uint32_t offset) {
    if (offset % 4 != 0 || offset + 4 > sizeof data) throw std::runtime_error("bad load");
    std::uint32_t word = 0;
    std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof word);
    return word;
}

/// SECCOMP_RET_* with its data.
inline std::uint32_t run_filter(const std::vector<std::uint64_t>& words, const SystemCall& call) {
    if (words.empty() || words.size() > BPF_MAXINSNS) throw std::runtime_error("bad length");
    seccomp_data data{};
    data.nr = call.number;
    data.arch = call.architecture;
    for (std::size_t i = 0; i < 6; ++i)
        data.args[i] = call.args[i];

    std::uint32_t accumulator = 0;
    for (std::size_t at = 0; at < words.size(); ++at) {
        sock_filter instruction{};
        std::memcpy(&instruction, &words[at], sizeof instruction);
        const auto k = instruction.k;
        const auto branch = [&](bool taken) { at += taken ? instruction.jt : instruction.jf; };
        switch (instruction.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                accumulator = load_word(data, k);
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                accumulator &= k;
                break;
            case BPF_JMP | BPF_JA:
                at += k;
                break;
            case BPF_JMP | BPF_JEQ | BPF_K:
                branch(accumulator == k);
                break;
            case BPF_JMP | BPF_JGT | BPF_K:
                branch(accumulator > k);
                break;
            case BPF_JMP | BPF_JGE | BPF_K:
                branch(accumulator >= k);
                break;
            case BPF_JMP | BPF_JSET | BPF_K:
                branch((accumulator & k) != 0);
                break;
            case BPF_RET | BPF_K:
                return k;
            default:
                throw std::runtime_error("unknown instruction");
        }
    }
    throw std::runtime_error("ran off the end");
}

}  // namespace covey::plan::test
