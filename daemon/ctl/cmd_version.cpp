// covey version: of this command and of the daemon.
#include "base/text.hpp"
#include "covey/version.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/text_safety.hpp"

#include <fmt/format.h>

namespace covey::ctl {
namespace {

int version(const Session& session) {
    const bool json = session.settings.format == Format::json;
    // Said before the daemon is asked: it may not be there.
    if (!json && !session.settings.curl) print("covey  " COVEY_VERSION "\n");
    const auto answer = session.ask({"GET", "/v1/version", "", "", false});
    if (!answer) return 0;
    if (json) {
        print(pretty_json(fmt::format(R"({{"covey":"{}","coveyd":{}}})", COVEY_VERSION, *answer)) +
              "\n");
        return 0;
    }
    const VersionAnswer daemon = decode_version(*answer);
    print(
        printable(fmt::format("coveyd {}  api {}  oci {}  features {}", daemon.version,
                              daemon.api_version, daemon.oci_version, join(daemon.features, ","))) +
        "\n");
    return 0;
}

}  // namespace

void add_version(const Options& app, Session& session) {
    app.command("version", "Show the versions of covey and coveyd").chosen([&session] {
        session.chosen = [&session] { return version(session); };
    });
}

}  // namespace covey::ctl
