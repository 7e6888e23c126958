// coveyd. Crash-only: there is no orderly end that a SIGKILL would miss; SIGTERM and SIGINT only
// take the socket's file away first. Sandboxes run on, and the next coveyd finds them.
#include "api/api.hpp"
#include "base/log.hpp"
#include "covey/version.hpp"
#include "daemon/config.hpp"
#include "engine/engine.hpp"
#include "server/listener.hpp"
#include "server/process_setup.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>

#include <unistd.h>

namespace {

using namespace covey;

boost::asio::awaitable<void> serve(boost::asio::io_context& io, daemon::Engine& engine,
                                   daemon::Handler& api, const daemon::Config& config) {
    co_await engine.recover();
    daemon::Listener listener{io, daemon::listener_config(config.socket), api};
    boost::asio::signal_set signals{io, SIGTERM, SIGINT};
    signals.async_wait([&listener](const boost::system::error_code&, int signal) {
        log::info("ending; sandboxes run on", {{"signal", std::to_string(signal)}});
        listener.close();
        std::exit(0);
    });
    log::info("READY", {{"version", COVEY_VERSION},
                        {"pid", std::to_string(::getpid())},
                        {"socket", listener.path()},
                        {"root", config.root}});
    co_await listener.run();
}

}  // namespace

int main(int argc, char** argv) {
    const auto [config, exit_status] = daemon::parse_command_line(argc, argv);
    if (exit_status) return *exit_status;
    log::set_level(config.log_level);
    log::set_format(config.log_format);
    try {
        daemon::set_up_process();
        boost::asio::io_context io{1};
        daemon::EngineConfig engine_config;
        engine_config.root = config.root;
        engine_config.engine_registry = config.engine_registry;
        engine_config.debug_tools = config.debug_tools;
        engine_config.ids = config.ids;
        daemon::Engine engine{io, engine_config};
        daemon::Api api{engine};
        boost::asio::co_spawn(io, serve(io, engine, api, config),
                              [](const std::exception_ptr& failure) {
                                  if (failure) std::rethrow_exception(failure);
                              });
        io.run();
    } catch (const Error& error) {
        log::error(error.detail(),
                   {{"code", std::string{code_name(error.code())}}, {"fix", error.fix()}});
    } catch (const std::exception& error) {
        log::error("coveyd failed", {{"reason", error.what()}});
    }
    return 1;
}
