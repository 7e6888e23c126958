#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "catch.hpp"
#include "support/hooks.hpp"

namespace covey::test {
namespace {

PassHooks g_hooks;

#if CATCH_VERSION_MAJOR >= 3
using ListenerBase = Catch::EventListenerBase;
#else
using ListenerBase = Catch::TestEventListenerBase;
#endif

class Listener : public ListenerBase {
  public:
    using ListenerBase::ListenerBase;

    void testCaseStarting(const Catch::TestCaseInfo& info) override {
        ListenerBase::testCaseStarting(info);
        case_starting(info.name);
        depth_ = 0;
    }
    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        case_ended();
        ListenerBase::testCaseEnded(stats);
    }
    // The outermost section is the test case itself. An assertion made here still counts for it;
    // in testCaseEnded it would be too late.
    void sectionStarting(const Catch::SectionInfo& info) override {
        ListenerBase::sectionStarting(info);
        if (depth_++ == 0 && g_hooks.before != nullptr) g_hooks.before();
    }
    void sectionEnded(const Catch::SectionStats& stats) override {
        if (--depth_ == 0 && g_hooks.after != nullptr)
            for (const auto& line : g_hooks.after())
                FAIL_CHECK(line);
        ListenerBase::sectionEnded(stats);
    }

  private:
    int depth_ = 0;
};

CATCH_REGISTER_LISTENER(Listener)

}  // namespace

void set_pass_hooks(PassHooks hooks) {
    g_hooks = hooks;
}

}  // namespace covey::test
