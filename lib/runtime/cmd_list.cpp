// covey-runtime list: every container of the state folder.
#include "base/text.hpp"
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/container_store.hpp"
#include "runtime/failure.hpp"
#include "runtime/owner.hpp"
#include "runtime/state_codec.hpp"
#include "runtime/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace covey::runtime {
namespace {

std::vector<ContainerView> look_at_all(const ContainerStore& store) {
    std::vector<ContainerView> views;
    for (const auto& id : store.ids())
        try {
            views.push_back(look_at(store.open_container(id)));
        } catch (const Error& error) {
            // One that is being deleted is none; a damaged one is said, the others are listed.
            if (error.code() != Code::not_found) report_warning(error.what());
        }
    return views;
}

void print_table(const std::vector<ShownState>& states) {
    std::vector<std::array<std::string, 6>> rows{
        {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const auto& shown : states)
        rows.push_back({shown.record->id, std::to_string(shown.pid), std::string{shown.status},
                        shown.record->bundle, shown.record->created, shown.owner});
    std::array<std::size_t, 6> widths{};
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths.at(i) = std::max(widths.at(i), row.at(i).size());
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += fmt::format("{:<{}}   ", row.at(i), widths.at(i));
        std::puts(std::string{trim(line)}.c_str());
    }
}

int list(Invocation& call) {
    std::string format = "table";
    bool quiet = false;
    Flags flags;
    flags.text("format", 'f', format, "table or json").boolean("quiet", 'q', quiet, "ids only");
    if (!call.parse(flags, 0, 0)) return 0;
    require_known_format(format);
    const auto store = ContainerStore::open_existing(call.globals.root);
    if (quiet) {
        for (const auto& id : store.ids())
            std::puts(id.c_str());
        return 0;
    }
    const auto views = look_at_all(store);
    std::vector<ShownState> states;
    for (const auto& view : views)
        states.push_back({&view.record, core::state_name(view.state),
                          view.init ? view.record.pid : 0, owner_name(view.record.owner)});
    if (format == "json")
        std::puts(encode_list(states).c_str());
    else
        print_table(states);
    return 0;
}

}  // namespace

const Command kList{"list", "", "list the containers", list};

}  // namespace covey::runtime
