#include "plan/seccomp_program.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>

#include <linux/seccomp.h>

namespace covey::plan {
namespace {

using Code = std::vector<sock_filter>;

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kGreater = BPF_JMP | BPF_JGT | BPF_K;
constexpr std::uint16_t kAtLeast = BPF_JMP | BPF_JGE | BPF_K;
/// The largest step of a conditional jump; an unconditional one has 32 bits.
constexpr std::size_t kFarthest = 255;

void append(Code& code, const Code& more) {
    code.insert(code.end(), more.begin(), more.end());
}

Code give(std::uint32_t action) {
    return {BPF_STMT(BPF_RET | BPF_K, action)};
}

/// One instruction of a condition; `yes` and `no` say where it goes.
enum class To { next, pass, fail };
struct Step {
    std::uint16_t code;
    std::uint32_t k;
    To yes = To::next, no = To::next;
};

std::uint32_t offset_of(unsigned index, bool high) {
    const bool first = high == (std::endian::native == std::endian::big);
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * index + (first ? 0 : 4));
}

void low_steps(std::vector<Step>& steps, const Condition& condition, std::uint32_t value) {
    steps.push_back({kLoad, offset_of(condition.index, false)});
    const auto mask = static_cast<std::uint32_t>(condition.mask);
    switch (condition.comparison) {
        case Comparison::equal:
            steps.push_back({kEqual, value, To::pass, To::fail});
            break;
        case Comparison::unequal:
            steps.push_back({kEqual, value, To::fail, To::pass});
            break;
        case Comparison::less:
            steps.push_back({kAtLeast, value, To::fail, To::pass});
            break;
        case Comparison::less_equal:
            steps.push_back({kGreater, value, To::fail, To::pass});
            break;
        case Comparison::greater:
            steps.push_back({kGreater, value, To::pass, To::fail});
            break;
        case Comparison::greater_equal:
            steps.push_back({kAtLeast, value, To::pass, To::fail});
            break;
        case Comparison::masked_equal:
            steps.push_back({kAnd, mask});
            steps.push_back({kEqual, value & mask, To::pass, To::fail});
            break;
    }
}

void high_steps(std::vector<Step>& steps, const Condition& condition, std::uint32_t value) {
    steps.push_back({kLoad, offset_of(condition.index, true)});
    const auto mask = static_cast<std::uint32_t>(condition.mask >> 32U);
    switch (condition.comparison) {
        case Comparison::equal:
            steps.push_back({kEqual, value, To::next, To::fail});
            break;
        case Comparison::unequal:
            steps.push_back({kEqual, value, To::next, To::pass});
            break;
        case Comparison::less:
        case Comparison::less_equal:
            steps.push_back({kGreater, value, To::fail, To::next});
            steps.push_back({kEqual, value, To::next, To::pass});
            break;
        case Comparison::greater:
        case Comparison::greater_equal:
            steps.push_back({kGreater, value, To::pass, To::next});
            steps.push_back({kEqual, value, To::next, To::fail});
            break;
        case Comparison::masked_equal:
            steps.push_back({kAnd, mask});
            steps.push_back({kEqual, value & mask, To::next, To::fail});
            break;
    }
}

/// Falls through when the condition holds, else jumps over what follows it: `rest` instructions.
Code condition_code(const Condition& condition, std::size_t rest) {
    std::vector<Step> steps;
    if (!condition.low_half)
        high_steps(steps, condition, static_cast<std::uint32_t>(condition.value >> 32U));
    low_steps(steps, condition, static_cast<std::uint32_t>(condition.value));
    Code code;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto left = steps.size() - 1 - i;
        const auto distance = [&](To to) {
            if (to == To::next) return std::uint8_t{0};
            return static_cast<std::uint8_t>(to == To::pass ? left : left + rest);
        };
        code.push_back({steps[i].code, distance(steps[i].yes), distance(steps[i].no), steps[i].k});
    }
    return code;
}

/// At most six conditions of six instructions: every jump in here is near.
Code rule_code(const CallRule& rule) {
    Code code = give(rule.action);
    for (auto condition = rule.conditions.rbegin(); condition != rule.conditions.rend();
         ++condition) {
        auto longer = condition_code(*condition, code.size());
        append(longer, code);
        code = std::move(longer);
    }
    return code;
}

/// All rules of one call, strictest first; those behind one without conditions are never reached.
Code call_code(std::vector<CallRule> rules, std::uint32_t default_action) {
    std::stable_sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) {
        return strictness(a.action) < strictness(b.action);
    });
    Code code;
    for (const auto& rule : rules) {
        append(code, rule_code(rule));
        if (rule.conditions.empty()) return code;
    }
    append(code, give(default_action));
    return code;
}

/// From `first` on, up to the next one's.
struct Segment {
    std::uint32_t first = 0;
    Code code;
};

bool same(const Code& a, const Code& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.code == y.code && x.jt == y.jt && x.jf == y.jf && x.k == y.k;
    });
}

std::vector<Segment> segments(const CallTable& table, std::uint32_t default_action) {
    // What starts at each number where something changes.
    std::map<std::uint32_t, std::uint32_t> grounds{{0, default_action}};
    for (const auto& [first, action] : table.beyond)
        grounds[first] = action;
    const auto ground = [&](std::uint32_t number) {
        return std::prev(grounds.upper_bound(number))->second;
    };
    std::map<std::uint32_t, Code> starts;
    for (const auto& [first, action] : grounds)
        starts[first] = give(action);
    for (const auto& [number, rules] : table.calls)
        if (number != ~std::uint32_t{0}) starts.try_emplace(number + 1, give(ground(number + 1)));
    for (const auto& [number, rules] : table.calls)
        starts[number] = call_code(rules, ground(number));

    std::vector<Segment> result;
    for (auto& [first, code] : starts)
        if (result.empty() || !same(result.back().code, code))
            result.push_back({first, std::move(code)});
    return result;
}

/// A balanced tree: the accumulator has the number.
Code tree(std::span<const Segment> list) {
    if (list.size() == 1) return list.front().code;
    const auto middle = list.size() / 2;
    const auto left = tree(list.first(middle));
    const auto first = list[middle].first;
    Code code;
    if (left.size() <= kFarthest) {
        code.push_back(BPF_JUMP(kAtLeast, first, static_cast<std::uint8_t>(left.size()), 0));
    } else {
        code.push_back(BPF_JUMP(kAtLeast, first, 0, 1));
        code.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(left.size())));
    }
    append(code, left);
    append(code, tree(list.subspan(middle)));
    return code;
}

}  // namespace

std::int32_t strictness(std::uint32_t action) noexcept {
    return static_cast<std::int32_t>(action & SECCOMP_RET_ACTION_FULL);
}

std::vector<sock_filter> assemble(std::span<const CallTable> tables, std::uint32_t default_action) {
    Code code{BPF_STMT(kLoad, offsetof(seccomp_data, arch))};
    for (const auto& table : tables) {
        Code block{BPF_STMT(kLoad, offsetof(seccomp_data, nr))};
        append(block, tree(segments(table, default_action)));
        code.push_back(BPF_JUMP(kEqual, table.architecture, 1, 0));
        code.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(block.size())));
        append(code, block);
    }
    // Killing a thread alone would leave the rest of a foreign program in an unknown state.
    append(code, give(SECCOMP_RET_KILL_PROCESS));
    return code;
}

}  // namespace covey::plan
