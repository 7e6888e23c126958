// Containers of engines (containerd, Podman, …): coveyd watches the registry that covey-runtime
// reports to, and tells of what comes, starts, ends and goes. It owns none of them and changes
// nothing but the event log. A link that cannot be believed is reported in the log and not shown.
// Used by the engine only. Thread rule: the io_context's one thread. Blocks as reading small files
// of the state folders does.
#pragma once

#include "api/action.hpp"
#include "base/unique_fd.hpp"
#include "engine/event_log.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

class EngineContainers : public std::enable_shared_from_this<EngineContainers> {
  public:
    struct Wiring {
        boost::asio::any_io_executor executor;
        std::shared_ptr<EventLog> events;
        const cgroup::Host& host;
        std::string boot_id;
        std::size_t most = 16384;
    };
    explicit EngineContainers(Wiring wiring);

    /// Makes the folder if it is missing, reads what is there, writes the events that a killed
    /// daemon could not, and watches it from now on. A folder that cannot be used, or watched
    /// (inotify instances are counted for each user), is reported and tried again: until then there
    /// are none. Empty: none are wanted.
    void open(const std::string& folder);
    /// Ends the watching. Whatever is under way ends by itself.
    void close();

    [[nodiscard]] std::vector<EngineContainerView> list();
    [[nodiscard]] std::vector<EngineContainerView> find(const std::string& id);
    /// Whose group this is, or is in; null: nobody's.
    [[nodiscard]] const core::EngineContainer* owner_of(std::string_view group) const;
    [[nodiscard]] std::vector<std::string> groups() const;

  private:
    using Descriptor = boost::asio::posix::stream_descriptor;
    struct Entry {
        core::EngineContainer facts;
        std::uint64_t resource_version = 0;
        bool started = false, exited = false;
        bool reported = false;                // it is not believed any more, and the log says so
        int watch_number = -1;                // of its state folder, until it has started
        std::shared_ptr<Descriptor> process;  // its pidfd, until it has ended
    };
    using Links = std::map<std::string, Entry>;  // by the link's name

    [[nodiscard]] bool try_open(const std::string& folder);
    void forget_links();
    void begin_watching(const std::string& folder);
    void catch_up();
    void rescan();
    void take_link(const std::string& link);
    void read_link(const std::string& link);
    void drop_link(const std::string& link);
    void watch_start(Entry& entry);
    void watch_end(const std::string& link, Entry& entry);
    void note_start(Entry& entry);
    void note_end(Entry& entry);
    void publish(Entry& entry, const std::string& type);
    void report(const std::string& link, const std::exception& problem);
    [[nodiscard]] std::optional<EngineContainerView> view(const std::string& link, Entry& entry);
    void handle_events();
    void look_again();
    static boost::asio::awaitable<void> watch(std::shared_ptr<EngineContainers> self);
    static boost::asio::awaitable<void> wait_end(std::weak_ptr<EngineContainers> self,
                                                 std::shared_ptr<Descriptor> process,
                                                 std::string link);

    Wiring wiring_;
    UniqueFd proc_;
    std::string folder_;
    std::optional<Descriptor> watch_;
    int registry_number_ = -1;
    Links links_;
    bool closed_ = false;
    bool told_ = false;  // that it cannot be watched
    bool looks_again_ = false;
};

}  // namespace covey::daemon
