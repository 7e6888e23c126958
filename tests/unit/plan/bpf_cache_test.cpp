#include "plan/bpf_cache.hpp"

#include "catch.hpp"
#include "unit/plan/config.hpp"

#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace covey::plan;
using namespace covey::plan::test;
namespace fs = std::filesystem;

namespace {

class Folder {
  public:
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "covey-bpf-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = pattern;
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    /// Not there yet: the cache makes it.
    std::string cache() const { return path_ + "/cache"; }

  private:
    std::string path_;
};

constexpr std::string_view kProfile = "profile";

CompiledSeccomp compiled(std::uint64_t word) {
    return {{word, word + 1}, {"one", "two"}};
}

fs::path entry(const Folder& folder) {
    return fs::path(folder.cache()) / cache_name(kProfile);
}

void change_byte(const fs::path& file, std::size_t at) {
    auto text = read_text(file.string());
    text.at(at) = static_cast<char>(text.at(at) ^ 1);
    std::ofstream(file, std::ios::binary) << text;
}

bool hit(const Folder& folder, std::string_view profile = kProfile) {
    return cache_lookup(folder.cache(), profile).has_value();
}

}  // namespace

TEST_CASE("a folder that was handed over as a descriptor is a cache like any other") {
    const Folder folder;
    fs::create_directory(folder.cache());
    fs::permissions(folder.cache(), fs::perms::owner_all);
    const int fd = ::open(folder.cache().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    const auto handed = "/proc/self/fd/" + std::to_string(fd);
    cache_store(handed, kProfile, compiled(7));
    CHECK(fs::exists(entry(folder)));
    CHECK(cache_lookup(handed, kProfile).has_value());
    ::close(fd);
}

TEST_CASE("what was stored is found, with its warnings") {
    const Folder folder;
    CHECK_FALSE(hit(folder));
    cache_store(folder.cache(), kProfile, compiled(5));
    const auto found = cache_lookup(folder.cache(), kProfile);
    REQUIRE(found);
    CHECK(found->filter == std::vector<std::uint64_t>{5, 6});
    CHECK(found->warnings == std::vector<std::string>{"one", "two"});
    CHECK(fs::status(folder.cache()).permissions() == fs::perms::owner_all);
    CHECK(fs::status(entry(folder)).permissions() ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK_FALSE(hit(folder, "another"));
    cache_store(folder.cache(), kProfile, compiled(9));
    CHECK(cache_lookup(folder.cache(), kProfile)->filter.front() == 9);
}

TEST_CASE("an entry with the same name and another profile is a miss") {
    const Folder folder;
    cache_store(folder.cache(), "another", compiled(5));
    fs::rename(fs::path(folder.cache()) / cache_name("another"), entry(folder));
    CHECK_FALSE(hit(folder));
}

TEST_CASE("no byte of an entry can change unnoticed") {
    const Folder folder;
    cache_store(folder.cache(), kProfile, compiled(5));
    const auto size = fs::file_size(entry(folder));
    for (std::size_t at = 0; at < size; ++at) {
        change_byte(entry(folder), at);
        CAPTURE(at);
        CHECK_FALSE(hit(folder));
        change_byte(entry(folder), at);
    }
    CHECK(hit(folder));
    for (const auto length :
         {size - 1, size - 8, std::uintmax_t{40}, std::uintmax_t{3}, std::uintmax_t{0}}) {
        cache_store(folder.cache(), kProfile, compiled(5));
        fs::resize_file(entry(folder), length);
        CHECK_FALSE(hit(folder));
    }
}

TEST_CASE("an entry that others could have written is not trusted") {
    const Folder folder;
    const auto fresh = [&] {
        fs::remove_all(folder.cache());
        cache_store(folder.cache(), kProfile, compiled(5));
        REQUIRE(hit(folder));
    };
    fresh();
    chmod(entry(folder).c_str(), 0620);
    CHECK_FALSE(hit(folder));
    fresh();
    chmod(folder.cache().c_str(), 0777);
    CHECK_FALSE(hit(folder));
    cache_store(folder.cache(), "another", compiled(5));
    CHECK_FALSE(fs::exists(fs::path(folder.cache()) / cache_name("another")));
    fresh();
    fs::rename(entry(folder), folder.cache() + "/real");
    fs::create_symlink("real", entry(folder));
    CHECK_FALSE(hit(folder));
    fresh();
    fs::remove(entry(folder));
    REQUIRE(mkfifo(entry(folder).c_str(), 0600) == 0);
    CHECK_FALSE(hit(folder));
    if (geteuid() == 0) {
        fresh();
        REQUIRE(chown(entry(folder).c_str(), 65534, 65534) == 0);
        CHECK_FALSE(hit(folder));
    }
}

TEST_CASE("a cache that cannot be written is no error") {
    cache_store("/proc/covey-no-such-folder", kProfile, compiled(5));
    CHECK_FALSE(cache_lookup("/proc/covey-no-such-folder", kProfile));
}

TEST_CASE("a compilation fills the cache, the next one uses it, a bad entry is replaced") {
    const Folder folder;
    const auto json = Json::parse(read_text(golden("kubernetes.config.json")));
    const auto spec = covey::spec::load(json.dump());
    const CompileOptions options{folder.cache()};
    const auto with = request(covey::spec::PidMode::pod);
    const auto first = compile(spec, with, options);
    REQUIRE(std::distance(fs::directory_iterator(folder.cache()), {}) == 1);
    CHECK(compile(spec, with, options).process.seccomp->filter == first.process.seccomp->filter);
    CHECK(compile(spec, with, options).warnings == first.warnings);

    // Proof that the second one does not compile: a filter that no profile has comes back.
    const auto text = canonical_text(*spec.linux.seccomp);
    cache_store(folder.cache(), text, compiled(5));
    CHECK(compile(spec, with, options).process.seccomp->filter.size() == 2);
    change_byte(fs::path(folder.cache()) / cache_name(text), 45);
    CHECK(compile(spec, with, options).process.seccomp->filter == first.process.seccomp->filter);
    CHECK(cache_lookup(folder.cache(), text)->filter == first.process.seccomp->filter);
}

TEST_CASE("different profiles have different texts") {
    covey::spec::Seccomp base;
    base.default_action = "SCMP_ACT_ERRNO";
    base.syscalls = {{{"read", "write"}, "SCMP_ACT_ALLOW", {}, {{0, 1, 2, "SCMP_CMP_EQ"}}}};
    std::vector<covey::spec::Seccomp> others(8, base);
    others[0].default_errno_ret = 0;
    others[1].architectures = {"SCMP_ARCH_X86"};
    others[2].syscalls[0].names = {"read,5:write"};
    others[3].syscalls[0].errno_ret = 1;
    others[4].syscalls[0].args[0].value_two = 3;
    others[5].syscalls[0].args.clear();
    others[6].syscalls.push_back({});
    others[7].default_action = "SCMP_ACT_KILL";
    std::vector<std::string> texts{canonical_text(base)};
    for (const auto& other : others)
        texts.push_back(canonical_text(other));
    std::sort(texts.begin(), texts.end());
    CHECK(std::adjacent_find(texts.begin(), texts.end()) == texts.end());
}
