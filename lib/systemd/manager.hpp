// A connection to systemd, by the message bus or, where there is none, by systemd's own socket.
// Called by main. Thread rule: single-threaded. Blocks until systemd has done what it was asked
// for, at most 30 s for each job.
#pragma once

#include "systemd/request.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <systemd/sd-bus.h>

namespace covey::systemd {

class Manager {
  public:
    /// Throws unavailable when systemd cannot be reached.
    explicit Manager(bool user);

    /// A transient unit that begins with one process; returns its control group. Throws
    /// already_exists for one that is active; what an ended one left is taken away first.
    std::string start(const std::string& unit, pid_t pid, const std::vector<Property>& properties);
    /// Until the next boot. In force, as far as systemd brings it into force, when this returns
    /// (the control group).
    std::string set(const std::string& unit, const std::vector<Property>& properties);
    /// Stopped, and forgotten if it had failed. A unit that is unknown: success.
    void stop(const std::string& unit);

  private:
    struct Unref {
        void operator()(sd_bus* bus) const noexcept { sd_bus_flush_close_unref(bus); }
        void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
        void operator()(sd_bus_slot* slot) const noexcept { sd_bus_slot_unref(slot); }
    };
    using Bus = std::unique_ptr<sd_bus, Unref>;
    using Message = std::unique_ptr<sd_bus_message, Unref>;
    using Slot = std::unique_ptr<sd_bus_slot, Unref>;
    struct Failure;

    static Bus open(bool user);
    static int on_job_removed(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_unit_removed(sd_bus_message* message, void* self, sd_bus_error* error);
    Slot listen(const char* signal, sd_bus_message_handler_t handler);
    Message method(const char* member);
    Message call(const Message& message, Failure& failure);
    Message start_message(const std::string& unit, pid_t pid,
                          const std::vector<Property>& properties);
    std::string text_property(const std::string& unit, const char* interface, const char* name);
    /// False when the time is over.
    template <typename Condition>
    bool wait_until(Condition condition, std::uint64_t limit_us);
    void await_job(const Message& reply, const char* operation, const std::string& unit);
    void cancel(const std::string& job, const std::string& unit);
    void forget(const std::string& unit);
    void forget_failure(const std::string& unit);
    bool knows(const std::string& unit);

    Bus bus_;
    std::map<std::string, std::string> results_;  // job's path → how it ended
    std::map<std::string, bool> removed_;         // unit → it was forgotten
    Slot job_slot_, unit_slot_;
};

}  // namespace covey::systemd
