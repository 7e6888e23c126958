// Device rules → BPF instructions. Pure: no system call is made here.
#include "cgroup/devices.hpp"

#include <algorithm>
#include <tuple>

namespace covey::cgroup {
namespace {

// Which register holds what. The kernel passes the context in r1.
constexpr std::uint8_t kAnswer = BPF_REG_0;
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kType = BPF_REG_2;
constexpr std::uint8_t kPending = BPF_REG_3;  // what is asked for and not yet allowed
constexpr std::uint8_t kMajor = BPF_REG_4;
constexpr std::uint8_t kMinor = BPF_REG_5;
constexpr std::uint8_t kScratch = BPF_REG_6;

using Rules = std::vector<DeviceMatch>;
using Iterator = Rules::const_iterator;

bool is_partial(const DeviceMatch& rule) {
    return rule.access != kAllAccess;
}

/// Rules that share a comparison stand together; the wider come after the narrower.
auto sort_key(const DeviceMatch& rule) {
    return std::tuple(is_partial(rule), rule.type == 'a', rule.type, !rule.major, rule.major,
                      !rule.minor, rule.minor, rule.access);
}

class Compiler {
  public:
    Compiler() {
        load_field(kType, 0);
        emit(BPF_ALU | BPF_AND | BPF_K, kType, 0xffff);  // access in the upper half, type below
        load_field(kPending, 0);
        emit(BPF_ALU | BPF_RSH | BPF_K, kPending, 16);
        load_field(kMajor, 4);
        load_field(kMinor, 8);
    }

    /// Neighbours that all allow, or all deny: their order does not matter, so they are sorted.
    void add_run(Rules run) {
        allow_ = run.front().allow;
        std::sort(run.begin(), run.end(), [](const DeviceMatch& left, const DeviceMatch& right) {
            return sort_key(left) < sort_key(right);
        });
        run.erase(std::unique(run.begin(), run.end()), run.end());
        for_each_group(
            run.cbegin(), run.cend(),
            [](const DeviceMatch& one, const DeviceMatch& other) {
                return one.type == other.type && is_partial(one) == is_partial(other);
            },
            [this](Iterator first, Iterator last) { add_type(first, last); });
    }

    std::vector<bpf_insn> finish(bool allow) && {
        answer(allow);
        auto& other = allow ? to_deny_ : to_allow_;
        auto& same = allow ? to_allow_ : to_deny_;
        for (const auto at : same)
            land(at, program_.size() - 2);
        if (!other.empty()) {
            answer(!allow);
            for (const auto at : other)
                land(at, program_.size() - 2);
        }
        return std::move(program_);
    }

  private:
    template <typename Same, typename Each>
    static void for_each_group(Iterator first, Iterator last, Same same, Each each) {
        while (first != last) {
            const auto end = std::find_if_not(
                first, last, [&](const DeviceMatch& rule) { return same(*first, rule); });
            each(first, end);
            first = end;
        }
    }

    void add_type(Iterator first, Iterator last) {
        const auto skip = first->type == 'a'
                              ? kNowhere
                              : jump(BPF_JNE, kType,
                                     first->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        for_each_group(
            first, last,
            [](const DeviceMatch& one, const DeviceMatch& other) {
                return one.major == other.major;
            },
            [this](Iterator from, Iterator to) { add_major(from, to); });
        land_here(skip);
    }

    void add_major(Iterator first, Iterator last) {
        const bool whole_major = first->major && !first->minor && !is_partial(*first);
        if (whole_major) return verdict(jump(BPF_JEQ, kMajor, *first->major));
        const auto skip = first->major ? jump(BPF_JNE, kMajor, *first->major) : kNowhere;
        for (; first != last; ++first)
            is_partial(*first) ? add_partial(*first) : add_whole(*first);
        land_here(skip);
    }

    void add_whole(const DeviceMatch& rule) {
        verdict(rule.minor ? jump(BPF_JEQ, kMinor, *rule.minor) : jump_always());
    }

    void add_partial(const DeviceMatch& rule) {
        const auto skip = rule.minor ? jump(BPF_JNE, kMinor, *rule.minor) : kNowhere;
        if (allow_) {
            emit(BPF_ALU | BPF_AND | BPF_K, kPending, kAllAccess & ~rule.access);
            verdict(jump(BPF_JEQ, kPending, 0));
        } else {
            emit(BPF_ALU | BPF_MOV | BPF_X, kScratch, 0, kPending);
            emit(BPF_ALU | BPF_AND | BPF_K, kScratch, rule.access);
            verdict(jump(BPF_JNE, kScratch, 0));
        }
        land_here(skip);
    }

    static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

    std::size_t jump(int condition, std::uint8_t where, std::uint32_t value) {
        emit(BPF_JMP32 | condition | BPF_K, where, value);
        return program_.size() - 1;
    }
    std::size_t jump_always() {
        emit(BPF_JMP | BPF_JA, 0, 0);
        return program_.size() - 1;
    }
    void verdict(std::size_t at) { (allow_ ? to_allow_ : to_deny_).push_back(at); }
    void land(std::size_t at, std::size_t target) {
        program_[at].off = static_cast<std::int16_t>(target - at - 1);
    }
    void land_here(std::size_t at) {
        if (at != kNowhere) land(at, program_.size());
    }
    void emit(int code, std::uint8_t target, std::uint32_t immediate, std::uint8_t source = 0) {
        bpf_insn made{};
        made.code = static_cast<std::uint8_t>(code);
        made.dst_reg = target & 0xfU;
        made.src_reg = source & 0xfU;
        made.imm = static_cast<std::int32_t>(immediate);
        program_.push_back(made);
    }
    void load_field(std::uint8_t target, std::int16_t offset) {
        emit(BPF_LDX | BPF_MEM | BPF_W, target, 0, kContext);
        program_.back().off = offset;
    }
    void answer(bool allow) {
        emit(BPF_ALU64 | BPF_MOV | BPF_K, kAnswer, allow ? 1 : 0);
        emit(BPF_JMP | BPF_EXIT, 0, 0);
    }

    bool allow_ = false;
    std::vector<bpf_insn> program_;
    std::vector<std::size_t> to_allow_, to_deny_;
};

}  // namespace

std::vector<bpf_insn> compile_devices(const std::vector<DeviceMatch>& rules) {
    // From the last rule to the first: the first that speaks of a bit decides it.
    std::vector<Rules> runs;
    auto rule = rules.rbegin();
    for (; rule != rules.rend() && !rule->is_for_all(); ++rule) {
        if (runs.empty() || runs.back().front().allow != rule->allow) runs.emplace_back();
        runs.back().push_back(*rule);
    }
    const bool otherwise = rule != rules.rend() && rule->allow;
    // What only repeats the end of the program is left out.
    if (!runs.empty() && runs.back().front().allow == otherwise) runs.pop_back();
    Compiler compiler;
    for (auto& run : runs)
        compiler.add_run(std::move(run));
    return std::move(compiler).finish(otherwise);
}

}  // namespace covey::cgroup
