#include "launch/hand_shake.hpp"

#include <fmt/format.h>

#include <utility>

namespace covey::launch {
namespace {

Error undue(std::string_view what) {
    return Error(Code::internal,
                 fmt::format("{} in a launch's hand-shake, where it is not due", what));
}

Error foreign(pid_t sender) {
    return Error(Code::failed_precondition,
                 fmt::format("process {}, which is not of this launch, spoke in its hand-shake",
                             sender))
        .with_fix(
            "a process with SYS_PTRACE in the same pod took the hand-shake's socket: look at "
            "what it is, or take the capability from it");
}

/// What comes over the newborn's channel, and is no word that is due there.
Error spoken_by_tenant(const Error& error) {
    return Error::restored(
        Code::failed_precondition, error.detail(),
        "a process with SYS_PTRACE in the same pod spoke in init's place: look at what it is, or "
        "take the capability from it",
        error.causes(), error.errno_value());
}

Failed without_a_word() {
    return {Error(Code::internal, "the launcher ended without a word")
                .with_fix("it was killed (out of memory?) or crashed: look into the kernel's log"),
            true};
}

}  // namespace

Steps HandShake::take(From from, sys::Packet packet) {
    const pid_t sender = packet.sender;
    try {
        if (from == From::launcher) {
            if (!is_launcher(sender)) throw foreign(sender);
            take_launchers(decode_launcher_message(std::move(packet)), sender);
        } else if (is_settled()) {
            take_settled(std::move(packet));
        } else {
            take_newborns(decode_newborn_message(std::move(packet)), sender);
        }
    } catch (const Error& error) {
        fail({from == From::launcher ? error : spoken_by_tenant(error)});
    }
    return taken();
}

/// Whoever may trace init may speak through it, too: nothing that is said here ends what is there.
void HandShake::take_settled(sys::Packet packet) {
    if (over_) return;
    std::optional<Error> failure;
    if (packet.sender == init_) try {
            const auto message = decode_newborn_message(std::move(packet));
            if (const auto* failed = std::get_if<Failed>(&message)) failure = failed->error;
        } catch (const Error&) {  // no word of init's
        }
    if (!failure) {
        steps_.emplace_back(Lost{});
    } else if (expect_.gate && !std::exchange(said_.failed, true)) {
        steps_.emplace_back(Failed{std::move(*failure)});
    } else if (expect_.gate) {
        steps_.emplace_back(Lost{});
    } else {
        fail({std::move(*failure)});
    }
}

Steps HandShake::refuse(From from, const Error& error) {
    if (from == From::launcher)
        fail({error});
    else if (!is_settled())
        fail({spoken_by_tenant(error)});
    else if (!over_)
        steps_.emplace_back(Lost{});
    return taken();
}

bool HandShake::is_launcher(pid_t sender) {
    if (sender == 0) return false;
    if (launcher_ == 0 && sender != spawner_) {
        auto pidfd = recognize_(sender, true);
        if (!pidfd) return false;
        launcher_ = sender;
        launcher_gone_ = false;
        steps_.emplace_back(Helper{std::move(pidfd)});
    }
    return sender == launcher_ || sender == spawner_;
}

void HandShake::take_launchers(LauncherMessage message, pid_t sender) {
    if (over_) return;
    if (auto* failed = std::get_if<Failed>(&message)) {
        // Its sender is about to end. Who tidied up before that would kill it between the clone of
        // init and init's first word. Afterwards it is told at once (heard_all()).
        if (!failure_) failure_ = std::move(*failed);
        if (launcher_gone_ || sender == spawner_) fail(*std::exchange(failure_, std::nullopt));
        return;
    }
    if (sender == spawner_) throw undue("a spawner's word");
    std::visit(
        [&](auto& one) {
            using Kind = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<Kind, HooksDue>)
                on(one, sender);
            else if constexpr (!std::is_same_v<Kind, Failed>)
                on(std::move(one));
        },
        message);
}

void HandShake::take_newborns(NewbornMessage message, pid_t sender) {
    if (std::holds_alternative<Alive>(message)) return on_alive(sender);
    if (over_) return;
    auto* failed = std::get_if<Failed>(&message);
    // The clone of init failed, behind the end of the launcher's own channel.
    if (failed != nullptr && init_ == 0 && sender != 0 && sender == launcher_) {
        failure_ = std::move(*failed);
        if (launcher_gone_) fail(*std::exchange(failure_, std::nullopt));
        return;
    }
    if (init_ == 0 || sender != init_) throw foreign(sender);
    if (failed != nullptr) return fail(std::move(*failed));
    if (std::holds_alternative<Ready>(message)) return on_ready();
    if (auto* terminal = std::get_if<TerminalOpened>(&message))
        on_terminal(std::move(*terminal));
    else if (auto* listener = std::get_if<SeccompListener>(&message))
        on(std::move(*listener));
    else if (const auto* hooks = std::get_if<HooksDue>(&message))
        on(*hooks, sender);
}

void HandShake::require(bool due, bool& said, std::string_view what) const {
    if (!due || std::exchange(said, true)) throw undue(what);
}

void HandShake::on(Prepared message) {
    require(init_ == 0, said_.prepared, "Prepared");
    prepared_ = std::move(message);
}

void HandShake::on(const HooksDue& /*message*/, pid_t sender) {
    const bool newborns = sender == init_;
    require(expect_.hooks && newborns == expect_.makes_world, said_.hooks, "HooksDue");
    steps_.emplace_back(RunHooks{sender, newborns});
}

void HandShake::on(SeccompAgent message) {
    require(expect_.agent, said_.agent, "SeccompAgent");
    steps_.emplace_back(std::move(message));
}

void HandShake::on(SeccompListener message) {
    require(expect_.listener, said_.listener, "SeccompListener");
    steps_.emplace_back(std::move(message));
}

void HandShake::on(Spawner message) {
    require(expect_.spawner, said_.spawner, "Spawner");
    auto pidfd = recognize_(message.pid, false);
    if (!pidfd) throw foreign(message.pid);
    steps_.emplace_back(KeepSpawner{message.pid, std::move(pidfd), std::move(message.control)});
}

void HandShake::on(const NeighboursDue& /*message*/) {
    require(expect_.nests && said_.prepared, said_.due, "NeighboursDue");
    steps_.emplace_back(HoldStill{});
}

void HandShake::on(const Between& message) {
    require(said_.due, said_.between, "Between");
    auto pidfd = recognize_(message.pid, false);
    if (!pidfd) throw foreign(message.pid);
    steps_.emplace_back(Helper{std::move(pidfd)});
}

void HandShake::on(const Dropped& /*message*/) {
    require(said_.between, said_.dropped, "Dropped");
    steps_.emplace_back(LetGo{});
}

void HandShake::on_alive(pid_t sender) {
    // Also when all is over: its owner has to reap it.
    if (init_ != 0 || !prepared_) {
        if (over_) return;
        throw undue("Alive");
    }
    auto pidfd = recognize_(sender, true);
    if (!pidfd || sender == launcher_) throw foreign(sender);
    init_ = sender;
    steps_.emplace_back(
        Born{sender, std::move(pidfd), std::move(*std::exchange(prepared_, std::nullopt))});
}

void HandShake::on_terminal(TerminalOpened message) {
    require(expect_.makes_world, said_.terminal, "TerminalOpened");
    terminal_ = std::move(message.master);
}

void HandShake::on_ready() {
    require(expect_.gate, said_.ready, "Ready");
    if (failure_) return;  // the launcher's, which is to be told first
    steps_.emplace_back(AtGate{std::move(terminal_)});
}

Steps HandShake::ended(From from) {
    (from == From::launcher ? launcher_open_ : newborn_open_) = false;
    if (from == From::newborn && !over_ && !failure_) {
        if (init_ != 0 && !is_settled()) {
            fail({Error(Code::failed_precondition, "init ended before it was ready")
                      .with_fix("it was killed (out of memory?): look into the kernel's log"),
                  true});
        } else if (init_ != 0) {
            over_ = true;
            steps_.emplace_back(Executed{});
        } else {
            failure_ = without_a_word();
        }
    }
    if (launcher_gone_ && failure_) fail(*std::exchange(failure_, std::nullopt));
    // One that a spawner should have cloned, and that never came.
    if (launcher_ == 0 && !newborn_open_ && failure_) fail(*std::exchange(failure_, std::nullopt));
    return taken();
}

Steps HandShake::heard_all() {
    if (failure_ && init_ != 0) fail(*std::exchange(failure_, std::nullopt));
    return taken();
}

Steps HandShake::launcher_gone() {
    launcher_gone_ = true;
    const bool left_privileged = said_.due && !said_.dropped;
    if (failure_)
        fail(*std::exchange(failure_, std::nullopt));
    else if (left_privileged || (init_ == 0 && !newborn_open_))
        fail(without_a_word());
    return taken();
}

Steps HandShake::expired() {
    fail({Error(Code::timeout, "the launch took too long")
              .with_fix("look for a mount or a device that hangs, or for a process that holds init "
                        "up: the launch was killed")});
    return taken();
}

void HandShake::fail(Failed failed) {
    if (std::exchange(over_, true)) return;
    failure_.reset();
    steps_.emplace_back(std::move(failed));
}

}  // namespace covey::launch
