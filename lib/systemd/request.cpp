#include "systemd/request.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"

#include <charconv>
#include <limits>

namespace covey::systemd {
namespace {

Error bad(std::string detail) {
    return Error(Code::invalid_argument, "covey-systemd: " + std::move(detail))
        .with_fix("it is covey-runtime's helper: use covey-runtime --systemd-cgroup");
}

class Words {
  public:
    explicit Words(std::span<const std::string> words) : words_(words) {}
    [[nodiscard]] bool empty() const { return words_.empty(); }
    [[nodiscard]] const std::string& peek() const { return words_.front(); }
    std::string take(const char* what) {
        if (empty()) throw bad(std::string{"missing: "} + what);
        const auto& word = words_.front();
        words_ = words_.subspan(1);
        return word;
    }

  private:
    std::span<const std::string> words_;
};

Request::Verb verb_of(const std::string& word) {
    if (word == "start") return Request::Verb::start;
    if (word == "set") return Request::Verb::set;
    if (word == "stop") return Request::Verb::stop;
    throw bad("unknown verb '" + word + "'");
}

}  // namespace

Request parse_request(std::span<const std::string> all) {
    Words words{all};
    Request request;
    if (!words.empty() && words.peek() == "--user") {
        request.user = true;
        (void)words.take("");
    }
    request.verb = verb_of(words.take("start, set or stop"));
    request.unit = words.take("the unit");
    if (request.verb == Request::Verb::start) {
        const auto pid = parse_u32(words.take("the process"));
        if (!pid || *pid == 0 || *pid > std::numeric_limits<pid_t>::max())
            throw bad("not a process's number");
        request.pid = static_cast<pid_t>(*pid);
    }
    while (!words.empty()) {
        Property property;
        property.name = words.take("a property");
        property.signature = words.take("a signature");
        property.value = words.take("a value");
        request.properties.push_back(std::move(property));
    }
    return request;
}

std::vector<unsigned char> bytes_of(std::string_view hexadecimal) {
    std::vector<unsigned char> bytes;
    for (; hexadecimal.size() >= 2; hexadecimal.remove_prefix(2)) {
        unsigned char byte = 0;
        const auto* const end = hexadecimal.data() + 2;
        const auto [at, error] = std::from_chars(hexadecimal.data(), end, byte, 16);
        if (error != std::errc{} || at != end) throw bad("not hexadecimal");
        bytes.push_back(byte);
    }
    if (!hexadecimal.empty()) throw bad("an odd number of hexadecimal digits");
    return bytes;
}

}  // namespace covey::systemd
