#include "plan/bpf_cache.hpp"

#include "base/text.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <cstring>

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/stat.h>
#include <unistd.h>

namespace covey::plan {
namespace {

constexpr std::size_t kLargestEntry = 8U << 20U;

/// The first bytes of an entry; profile, warnings (one a line) and filter follow in that order.
struct Header {
    std::array<char, 8> magic{'c', 'o', 'v', 'e', 'y', 'b', 'p', 'f'};
    std::uint32_t compiler = kSeccompCompilerVersion;
    std::uint32_t libseccomp = libseccomp_version();
    std::uint32_t architecture = native_architecture();
    std::uint32_t profile_bytes = 0, warning_bytes = 0, instructions = 0;
    std::uint64_t checksum = 0;  // of all that follows the header
};
static_assert(sizeof(Header) == 40 && std::has_unique_object_representations_v<Header>);

/// FNV-1a: finds accidents and names files. Forgery is kept out by owner and mode.
std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf2'9ce4'8422'2325;
    for (const char c : text)
        value = (value ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01b3;
    return value;
}

bool is_private(const struct stat& status, mode_t type) {
    return (status.st_mode & S_IFMT) == type && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0;
}

/// Invalid when the folder is not there or not ours alone.
UniqueFd open_folder(const std::string& folder) {
    // Of a folder that was handed over as a descriptor the name is a link of the kernel's own,
    // which O_NOFOLLOW would refuse.
    const bool is_descriptor = folder.starts_with("/proc/self/fd/");
    auto opened =
        sys::open(is_descriptor ? folder + "/." : folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) return {};
    const auto status = sys::stat_fd(opened.value());
    if (!status || !is_private(status.value(), S_IFDIR)) return {};
    return std::move(opened).value();
}

std::string read_entry(const std::string& folder, const std::string& name) {
    const auto dir = open_folder(folder);
    if (!dir) return {};
    // O_NONBLOCK: somebody's FIFO must not hold a launch up.
    const auto file = sys::open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return {};
    const auto status = sys::stat_fd(file.value());
    if (!status || !is_private(status.value(), S_IFREG)) return {};
    return sys::read_all(file.value(), kLargestEntry).value_or({});
}

std::string entry_text(std::string_view profile, const CompiledSeccomp& compiled) {
    const auto warnings = join(compiled.warnings, "\n");
    std::string body(profile);
    body += warnings;
    const auto filter_bytes = compiled.filter.size() * sizeof(std::uint64_t);
    const auto at = body.size();
    body.resize(at + filter_bytes);
    std::memcpy(body.data() + at, compiled.filter.data(), filter_bytes);

    Header header;
    header.profile_bytes = static_cast<std::uint32_t>(profile.size());
    header.warning_bytes = static_cast<std::uint32_t>(warnings.size());
    header.instructions = static_cast<std::uint32_t>(compiled.filter.size());
    header.checksum = hash(body);
    std::string text(sizeof(Header), '\0');
    std::memcpy(text.data(), &header, sizeof header);
    return text + body;
}

void put(std::string& text, std::string_view value) {
    text += fmt::format("{}:{},", value.size(), value);
}
void put(std::string& text, std::uint64_t value) {
    text += fmt::format("{},", value);
}
void put(std::string& text, const std::vector<std::string>& values) {
    put(text, values.size());
    for (const auto& value : values)
        put(text, value);
}
void put(std::string& text, const std::optional<std::uint32_t>& value) {
    text += value ? fmt::format("{},", *value) : "-,";
}

}  // namespace

std::string canonical_text(const spec::Seccomp& profile) {
    std::string text;
    put(text, profile.default_action);
    put(text, profile.default_errno_ret);
    put(text, profile.architectures);
    put(text, profile.syscalls.size());
    for (const auto& rule : profile.syscalls) {
        put(text, rule.names);
        put(text, rule.action);
        put(text, rule.errno_ret);
        put(text, rule.args.size());
        for (const auto& arg : rule.args) {
            put(text, std::uint64_t{arg.index});
            put(text, arg.value);
            put(text, arg.value_two);
            put(text, arg.op);
        }
    }
    return text;
}

std::string cache_name(std::string_view profile) {
    return fmt::format("{:016x}.bpf", hash(profile));
}

std::optional<CompiledSeccomp> cache_lookup(const std::string& folder, std::string_view profile) {
    const auto text = read_entry(folder, cache_name(profile));
    Header header;
    const Header expected;
    if (text.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, text.data(), sizeof header);
    const auto body = std::string_view(text).substr(sizeof header);
    const std::uint64_t length = std::uint64_t{header.profile_bytes} + header.warning_bytes +
                                 std::uint64_t{header.instructions} * sizeof(std::uint64_t);
    if (header.magic != expected.magic || header.compiler != expected.compiler ||
        header.libseccomp != expected.libseccomp || header.architecture != expected.architecture ||
        header.instructions == 0 || header.instructions > BPF_MAXINSNS || length != body.size() ||
        header.checksum != hash(body) || body.substr(0, header.profile_bytes) != profile)
        return std::nullopt;

    CompiledSeccomp compiled;
    const auto warnings = body.substr(header.profile_bytes, header.warning_bytes);
    if (!warnings.empty())
        for (const auto line : split(warnings, '\n'))
            compiled.warnings.emplace_back(line);
    compiled.filter.resize(header.instructions);
    std::memcpy(compiled.filter.data(), body.data() + header.profile_bytes + header.warning_bytes,
                compiled.filter.size() * sizeof(std::uint64_t));
    return compiled;
}

void cache_store(const std::string& folder, std::string_view profile,
                 const CompiledSeccomp& compiled) noexcept try {
    // It may be there already; whether it is ours is looked at next.
    static_cast<void>(sys::mkdir_at(sys::kCwd, folder, 0700));
    const auto dir = open_folder(folder);
    if (!dir) return;
    static_cast<void>(
        sys::replace_file_at(dir, cache_name(profile), entry_text(profile, compiled), 0600));
} catch (const std::exception&) {
    // Out of memory: the next launch compiles again.
    return;
}

}  // namespace covey::plan
