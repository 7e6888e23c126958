#include "runtime/options.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include <getopt.h>

namespace covey::runtime {
namespace {

/// As Go's strconv.ParseBool reads it, which is what callers' habits come from.
std::optional<bool> parse_bool(std::string_view text) {
    constexpr std::array<std::string_view, 6> kTrue{"1", "t", "T", "true", "TRUE", "True"};
    constexpr std::array<std::string_view, 6> kFalse{"0", "f", "F", "false", "FALSE", "False"};
    if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
    if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
    return std::nullopt;
}

/// "--name=value" → "name".
std::string_view bare_name(std::string_view word) {
    word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
    return word.substr(0, word.find('='));
}

}  // namespace

Flags& Flags::boolean(const char* name, char letter, bool& target, const char* help) {
    flags_.push_back({name, letter, help, &target, nullptr, nullptr});
    return *this;
}

Flags& Flags::text(const char* name, char letter, std::string& target, const char* help) {
    flags_.push_back({name, letter, help, nullptr, &target, nullptr});
    return *this;
}

Flags& Flags::texts(const char* name, char letter, std::vector<std::string>& target,
                    const char* help) {
    flags_.push_back({name, letter, help, nullptr, nullptr, &target});
    return *this;
}

void Flags::set(const Flag& flag, const char* value) const {
    if (flag.text != nullptr) *flag.text = value;
    if (flag.texts != nullptr) flag.texts->emplace_back(value);
    if (flag.boolean == nullptr) return;
    const auto on = value == nullptr ? std::optional{true} : parse_bool(value);
    if (!on)
        throw Error(Code::invalid_argument,
                    fmt::format("flag --{}: '{}' is not a boolean", flag.name, value))
            .with_fix("say true or false");
    *flag.boolean = *on;
}

void Flags::refuse(std::string_view word) const {
    std::vector<std::string_view> names;
    for (const auto& flag : flags_)
        names.emplace_back(flag.name);
    auto error =
        Error(Code::invalid_argument, fmt::format("flag provided but not defined: {}", word));
    if (const auto near = nearest(bare_name(word), names))
        throw std::move(error).with_fix(fmt::format("did you mean --{}?", *near));
    throw std::move(error).with_fix("see --help for the flags that there are");
}

std::vector<std::string> Flags::parse(const std::vector<std::string>& words, int stop_after) {
    std::string letters = stop_after == 0 ? "+:h" : "-:h";
    std::vector<option> table;
    for (const auto& flag : flags_) {
        const bool takes_value = flag.boolean == nullptr;
        table.push_back({flag.name, takes_value ? required_argument : optional_argument, nullptr,
                         0x100 + static_cast<int>(table.size())});
        if (flag.letter != 0) (letters += flag.letter) += takes_value ? ":" : "";
    }
    constexpr int kHelp = 0x80;
    table.push_back({"help", no_argument, nullptr, kHelp});
    table.push_back({nullptr, 0, nullptr, 0});

    std::vector<char*> argv{const_cast<char*>("covey-runtime")};  // getopt's interface
    for (const auto& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int argc = static_cast<int>(words.size()) + 1;

    std::vector<std::string> positional;
    const auto enough = [&] {
        return stop_after > 0 && positional.size() >= static_cast<std::size_t>(stop_after);
    };
    optind = 0;  // glibc: start anew
    opterr = 0;
    int index = -1;
    for (int got = 0; !enough() && (got = getopt_long_only(argc, argv.data(), letters.c_str(),
                                                           table.data(), &index)) != -1;) {
        if (got == 1) {
            positional.emplace_back(optarg);
        } else if (got == kHelp || got == 'h') {
            help_ = true;
        } else if (got == '?') {
            refuse(argv[static_cast<std::size_t>(optind - 1)]);
        } else if (got == ':') {
            // The words that callers look for when they probe for a flag.
            throw Error(Code::invalid_argument,
                        fmt::format("flag needs an argument: {}",
                                    argv[static_cast<std::size_t>(optind - 1)]));
        } else if (got >= 0x100) {
            const auto& flag = flags_[static_cast<std::size_t>(got - 0x100)];
            // glibc takes any unique beginning of a name; nobody else does, and a later flag could
            // change its meaning.
            const auto word = bare_name(argv[static_cast<std::size_t>(optind - 1)]);
            const auto before =
                optind >= 2 ? bare_name(argv[static_cast<std::size_t>(optind - 2)]) : word;
            if (word != flag.name && before != flag.name)
                refuse(argv[static_cast<std::size_t>(optind - 1)]);
            set(flag, optarg);
        } else {
            const auto flag = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& one) {
                return one.letter == static_cast<char>(got);
            });
            set(*flag, optarg);
        }
    }
    for (int i = optind; i < argc; ++i)
        positional.emplace_back(argv[static_cast<std::size_t>(i)]);
    return positional;
}

std::vector<std::string> Flags::words() const {
    std::vector<std::string> words;
    const auto add = [&words](const Flag& flag, std::string_view value) {
        words.push_back(fmt::format("--{}={}", flag.name, value));
    };
    for (const auto& flag : flags_) {
        if (flag.boolean != nullptr && *flag.boolean) add(flag, "true");
        if (flag.text != nullptr && !flag.text->empty()) add(flag, *flag.text);
        if (flag.texts != nullptr)
            for (const auto& value : *flag.texts)
                add(flag, value);
    }
    return words;
}

std::string Flags::describe() const {
    std::string text;
    for (const auto& flag : flags_)
        text += fmt::format("   --{}{}{}\n        {}\n", flag.name,
                            flag.letter != 0 ? fmt::format(", -{}", flag.letter) : "",
                            flag.boolean != nullptr ? "" : " VALUE", flag.help);
    return text + "   --help, -h\n        show this\n";
}

unsigned parse_count(std::string_view value, std::string_view flag, unsigned most) {
    const auto number = parse_u32(value);
    if (!number || *number > most)
        throw Error(Code::invalid_argument,
                    fmt::format("flag --{}: '{}' is not a number from 0 to {}", flag, value, most));
    return *number;
}

void require_known_format(std::string_view format) {
    if (format != "table" && format != "json")
        throw Error(Code::invalid_argument, fmt::format("unknown format '{}'", format))
            .with_fix("use table or json");
}

}  // namespace covey::runtime
