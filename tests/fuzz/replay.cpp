// Runs a fuzz target over stored inputs, without a fuzzer: every file of every folder named, and
// every prefix of it that is a power of two long. Part of the everyday tests, with any compiler.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::uint8_t> content(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

std::size_t replay(const std::filesystem::path& folder) {
    std::size_t inputs = 0;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (!entry.is_regular_file()) continue;
        const auto bytes = content(entry.path());
        for (std::size_t size = 1; size < bytes.size(); size *= 2) {
            LLVMFuzzerTestOneInput(bytes.data(), size);
        }
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
        ++inputs;
    }
    return inputs;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        std::size_t inputs = 0;
        for (int i = 1; i < argc; ++i) {
            inputs += replay(argv[i]);
        }
        std::printf("%zu inputs\n", inputs);
        return inputs == 0 ? 1 : 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
