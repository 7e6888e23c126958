#include "engine/engine_containers.hpp"

#include "base/log.hpp"
#include "engine/journal_index.hpp"
#include "engine/loop_descriptor.hpp"
#include "store/engine_link.hpp"
#include "store/state_dir.hpp"
#include "sys/file.hpp"
#include "sys/folder_watch.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <set>
#include <utility>

#include <fcntl.h>

namespace covey::daemon {

namespace asio = boost::asio;

EngineContainers::EngineContainers(Wiring wiring)
    : wiring_(std::move(wiring)), proc_(sys::open_proc().or_throw("open", "/proc")) {
}

void EngineContainers::open(const std::string& folder) {
    if (folder.empty() || try_open(folder)) return;
    retry(wiring_.executor, weak_from_this(), [this, folder] {
        if (closed_) return true;
        if (!try_open(folder)) return false;
        log::info("the registry of engines' containers is watched now", {{"folder", folder}});
        return true;
    });
}

bool EngineContainers::try_open(const std::string& folder) {
    try {
        begin_watching(folder);
        catch_up();
        asio::co_spawn(wiring_.executor, watch(shared_from_this()), asio::detached);
        return true;
    } catch (const std::exception& problem) {
        // Everything else works without it.
        forget_links();
        watch_.reset();
        const auto* ours = dynamic_cast<const Error*>(&problem);
        if (!std::exchange(told_, true))
            log::error(
                "the registry of engines' containers cannot be watched yet: they are not "
                "shown until it can",
                {{"folder", folder},
                 {"problem", problem.what()},
                 {"fix", ours != nullptr ? ours->fix() : ""}});
        return false;
    }
}

void EngineContainers::forget_links() {
    boost::system::error_code ignored;
    if (watch_) watch_->close(ignored);
    for (auto& [link, entry] : links_)
        if (entry.process) entry.process->close(ignored);
    links_.clear();
}

void EngineContainers::close() {
    closed_ = true;
    forget_links();
}

void EngineContainers::begin_watching(const std::string& folder) {
    folder_ = folder;
    const auto state = store::StateDir::open(folder);
    if (!watch_) {
        auto fd = sys::open_folder_watch().or_throw("make folder watch");
        watch_.emplace(loop_descriptor(wiring_.executor, std::move(fd)));
    }
    // Before the first look: what comes in between is seen twice, not missed.
    const FdRef watch{watch_->native_handle()};
    registry_number_ =
        sys::watch_folder(watch, state.fd(), sys::Watched::changes).or_throw("watch", folder);
}

/// The first look after a start: what the journal says of them already is not said again.
void EngineContainers::catch_up() {
    const JournalIndex index(*wiring_.events);
    std::map<std::string, const JournalIndex::EngineContainer*> known;
    for (const auto& [key, container] : index.engine_containers) {
        const auto link = store::engine_link_name(key.first, key.second);
        known.emplace(link, &container);
        Entry entry;
        entry.facts.root = key.first;
        entry.facts.record.id = key.second;
        entry.facts.engine = container.newest.engine;
        entry.facts.pod = container.newest.sandbox;
        entry.resource_version = container.newest.seq;
        entry.started = container.started;
        entry.exited = container.exited;
        links_.emplace(link, std::move(entry));
    }
    rescan();
}

void EngineContainers::rescan() {
    const auto registry = sys::open(folder_, O_RDONLY | O_DIRECTORY).or_throw("open", folder_);
    const auto names = sys::list_dir(registry).or_throw("list", folder_);
    const std::set<std::string> there(names.begin(), names.end());
    std::vector<std::string> gone;
    for (const auto& [link, entry] : links_)
        if (!there.contains(link)) gone.push_back(link);
    for (const auto& link : gone)
        drop_link(link);
    for (const auto& link : names)
        take_link(link);
}

void EngineContainers::take_link(const std::string& link) {
    if (!link.ends_with(store::kEngineLinkSuffix)) return;  // a temporary name of write_record's
    try {
        read_link(link);
    } catch (const Error& problem) {
        if (problem.code() == Code::not_found) return drop_link(link);  // gone again
        report(link, problem);
        drop_link(link);
    } catch (const std::exception& problem) {
        report(link, problem);
        drop_link(link);
    }
}

void EngineContainers::read_link(const std::string& link) {
    // Opened anew: as long as a descriptor is open, nothing tells that the folder was removed.
    const auto registry = sys::open_dir(folder_).or_throw("open", folder_);
    auto facts = core::read_engine_container(registry, link, wiring_.boot_id);
    const auto now = core::look_at(facts, wiring_.host, proc_);
    auto known = links_.find(link);
    if (known != links_.end() && known->second.facts.record.pid != 0) {
        // A container of the same name in the same root, after the one that we know of.
        if (known->second.facts.record.start_time == facts.record.start_time &&
            known->second.facts.record.pid == facts.record.pid)
            return;
        drop_link(link);
        known = links_.end();
    }
    const bool is_new = known == links_.end();
    if (is_new && links_.size() >= wiring_.most)
        throw Error(Code::too_many, "there are more of them than containers are allowed");
    if (is_new) known = links_.emplace(link, Entry{}).first;
    Entry& entry = known->second;
    entry.facts = std::move(facts);
    if (is_new) publish(entry, "engine.created");
    watch_start(entry);
    watch_end(link, entry);
    if (now.state == core::ContainerState::stopped) note_end(entry);
}

void EngineContainers::drop_link(const std::string& link) {
    const auto at = links_.find(link);
    if (at == links_.end()) return;
    Entry& entry = at->second;
    // covey-runtime takes the link away when init has ended.
    note_end(entry);
    publish(entry, "engine.deleted");
    if (entry.process) {
        boost::system::error_code ignored;
        entry.process->close(ignored);
    }
    links_.erase(at);
}

/// covey-runtime removes the start gate when the program was executed.
void EngineContainers::watch_start(Entry& entry) {
    if (entry.started || entry.exited) return;
    const auto folder = sys::open(entry.facts.root + "/" + entry.facts.record.id,
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) return;  // deleted meanwhile: the link goes as well
    const FdRef watch{watch_->native_handle()};
    const auto number = sys::watch_folder(watch, folder.value(), sys::Watched::removals);
    if (number) entry.watch_number = number.value();
    // Asked after the watch began: started before it or after it, never unseen.
    const auto now = core::look_at(entry.facts, wiring_.host, proc_);
    if (now.state == core::ContainerState::running) note_start(entry);
}

void EngineContainers::watch_end(const std::string& link, Entry& entry) {
    if (entry.exited) return;
    auto pidfd = sys::pidfd_open(entry.facts.record.pid);
    // Read after the pidfd was opened: the number cannot have changed hands in between unseen.
    const auto stat = sys::read_stat(proc_, entry.facts.record.pid);
    if (!pidfd || !stat || stat.value().start_time != entry.facts.record.start_time) {
        note_end(entry);
        return;
    }
    entry.process =
        std::make_shared<Descriptor>(loop_descriptor(wiring_.executor, std::move(pidfd).value()));
    asio::co_spawn(wiring_.executor, wait_end(weak_from_this(), entry.process, link),
                   asio::detached);
}

asio::awaitable<void> EngineContainers::wait_end(std::weak_ptr<EngineContainers> self,
                                                 std::shared_ptr<Descriptor> process,
                                                 std::string link) {
    boost::system::error_code failed;
    co_await process->async_wait(Descriptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, failed));
    const auto owner = self.lock();
    if (failed || !owner || owner->closed_) co_return;
    const auto at = owner->links_.find(link);
    if (at != owner->links_.end() && at->second.process == process) owner->note_end(at->second);
}

void EngineContainers::note_start(Entry& entry) {
    if (entry.watch_number >= 0)
        sys::unwatch_folder(FdRef{watch_->native_handle()}, std::exchange(entry.watch_number, -1));
    if (std::exchange(entry.started, true)) return;
    publish(entry, "engine.started");
}

void EngineContainers::note_end(Entry& entry) {
    if (entry.watch_number >= 0)
        sys::unwatch_folder(FdRef{watch_->native_handle()}, std::exchange(entry.watch_number, -1));
    entry.process.reset();
    if (std::exchange(entry.exited, true)) return;
    publish(entry, "engine.exited");
}

void EngineContainers::publish(Entry& entry, const std::string& type) {
    EventRecord event;
    event.type = type;
    event.engine = entry.facts.engine;
    event.root = entry.facts.root;
    event.container = entry.facts.record.id;
    event.sandbox = entry.facts.pod;
    event.pid = entry.facts.record.pid;
    entry.resource_version = wiring_.events->append(std::move(event));
}

void EngineContainers::report(const std::string& link, const std::exception& problem) {
    log::warning("an engine's container is not believed and not shown",
                 {{"link", folder_ + "/" + link}, {"problem", problem.what()}});
}

std::optional<EngineContainerView> EngineContainers::view(const std::string& link, Entry& entry) {
    try {
        auto now = core::look_at(entry.facts, wiring_.host, proc_);
        if (now.state == core::ContainerState::running) note_start(entry);
        if (now.state == core::ContainerState::stopped) note_end(entry);
        return EngineContainerView{entry.facts, std::move(now), entry.resource_version};
    } catch (const std::exception& problem) {
        if (!std::exchange(entry.reported, true)) report(link, problem);
        return std::nullopt;
    }
}

std::vector<EngineContainerView> EngineContainers::list() {
    std::vector<EngineContainerView> views;
    for (auto& [link, entry] : links_)
        if (auto one = view(link, entry)) views.push_back(std::move(*one));
    return views;
}

std::vector<EngineContainerView> EngineContainers::find(const std::string& id) {
    std::vector<EngineContainerView> views;
    for (auto& [link, entry] : links_)
        if (entry.facts.record.id == id)
            if (auto one = view(link, entry)) views.push_back(std::move(*one));
    return views;
}

const core::EngineContainer* EngineContainers::owner_of(std::string_view group) const {
    for (const auto& [link, entry] : links_)
        if (!entry.facts.record.cgroup.path.empty() &&
            cgroup::is_in_group(group, entry.facts.record.cgroup.path))
            return &entry.facts;
    return nullptr;
}

std::vector<std::string> EngineContainers::groups() const {
    std::vector<std::string> paths;
    for (const auto& [link, entry] : links_)
        if (!entry.facts.record.cgroup.path.empty() && !entry.exited)
            paths.push_back(entry.facts.record.cgroup.path);
    return paths;
}

void EngineContainers::handle_events() {
    const FdRef watch{watch_->native_handle()};
    const auto events = sys::read_folder_events(watch).or_throw("read", "folder events");
    bool look_again = false;
    for (const auto& event : events) {
        using Kind = sys::FolderEvent::Kind;
        if (event.kind == Kind::lost) look_again = true;
        if (event.number != registry_number_) {
            for (auto& [link, entry] : links_)
                if (entry.watch_number == event.number && event.kind == Kind::went)
                    (void)view(link, entry);  // notes the start
            continue;
        }
        if (event.kind == Kind::folder_gone) {
            registry_number_ = -1;
            begin_watching(folder_);
            look_again = true;
        }
        if (event.kind == Kind::came) take_link(event.name);
        if (event.kind == Kind::went) drop_link(event.name);
    }
    if (look_again) rescan();
}

/// What the lost event was of is found by looking at everything.
void EngineContainers::look_again() {
    if (std::exchange(looks_again_, true)) return;
    retry(wiring_.executor, weak_from_this(), [this] {
        if (closed_) return true;
        try {
            if (registry_number_ < 0) begin_watching(folder_);
            rescan();
        } catch (const std::exception&) {
            return false;  // the log says so already
        }
        looks_again_ = false;
        return true;
    });
}

asio::awaitable<void> EngineContainers::watch(std::shared_ptr<EngineContainers> self) {
    while (true) {
        boost::system::error_code failed;
        co_await self->watch_->async_wait(Descriptor::wait_read,
                                          asio::redirect_error(asio::use_awaitable, failed));
        if (failed || self->closed_) co_return;
        try {
            self->handle_events();
        } catch (const std::exception& problem) {
            log::error("an event of the engines' registry was not understood",
                       {{"folder", self->folder_}, {"problem", problem.what()}});
            self->look_again();
        }
    }
}

}  // namespace covey::daemon
