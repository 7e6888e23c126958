// covey top: the processes of sandboxes, live; with -b as plain text.
#include "base/id.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/terminal.hpp"
#include "ctl/text_safety.hpp"
#include "ctl/top.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <memory>

#include <poll.h>
#include <unistd.h>

namespace covey::ctl {
namespace {

constexpr double kShortest = 0.05, kLongest = 3600;  // seconds between two looks

struct TopOptions {
    std::string sandbox, sort = "cpu", filter;
    std::optional<double> delay;
    std::optional<std::uint64_t> times;
    bool batch = false;
};

std::int64_t since_boot() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

class Top {
  public:
    Top(const Session& session, const TopOptions& options)
        : session_(session),
          sandbox_(options.sandbox),
          filter_(options.filter),
          sort_(top_sort(options.sort).value_or(TopSort::cpu)),
          delay_(static_cast<int>(std::lround(options.delay.value_or(2) * 1000))),
          left_(options.times) {}

    int run_batch() {
        while (true) {
            print(draw_top(look(), session_.table_style(), 0));
            if (left_ && --*left_ == 0) return 0;
            print("\n");
            (void)::poll(nullptr, 0, delay_);
        }
    }

    int run_live() {
        const RawMode raw{FdRef{STDIN_FILENO}};
        const Screen screen;
        while (!done_) {
            draw();
            if (left_ && --*left_ == 0) break;
            handle_keys();
        }
        return 0;
    }

  private:
    /// The alternate screen, without a cursor, until it is destroyed.
    struct Screen {
        Screen() { print("\x1b[?1049h\x1b[?25l"); }
        ~Screen() {
            constexpr std::string_view kBack = "\x1b[?25h\x1b[?1049l";
            // Nobody is left to tell when this fails.
            (void)!::write(STDOUT_FILENO, kBack.data(), kBack.size());
        }
        Screen(const Screen&) = delete;
        Screen& operator=(const Screen&) = delete;
    };

    std::vector<TopRow> look() {
        std::vector<std::string> ids{sandbox_};
        if (sandbox_.empty()) {
            ids.clear();
            for (const auto& one : decode_sandboxes(session_.look_up(get("sandboxes"))))
                ids.push_back(one.id);
        }
        std::vector<TopRow> rows;
        for (const auto& id : ids) {
            try {
                for (auto& process :
                     decode_processes(session_.look_up(get("sandboxes", id, "processes"))))
                    rows.push_back({std::move(process), id, 0});
            } catch (const Error& error) {
                // One of many may go away between the list and the look.
                if (!sandbox_.empty() || error.code() != Code::not_found) throw;
            }
        }
        rows = top_filter(meter_.measure(std::move(rows), since_boot(), ::sysconf(_SC_CLK_TCK)),
                          filter_);
        top_sort_rows(rows, sort_);
        return rows;
    }

    void draw() {
        const auto size = terminal_size(FdRef{STDOUT_FILENO});
        const std::size_t rows = size.rows > 4 ? size.rows - 4U : 20U;
        std::string text = draw_top(look(), {true, size.columns}, rows);
        text += '\n';
        text += cut_to(line_.empty() ? help() : line_, size.columns);
        // Home, and each line erased behind its end: no flicker.
        print("\x1b[H" + replace_newlines(text) + "\x1b[J");
    }

    /// The keys, and what is kept from the list: rows that are not shown must not seem to be gone.
    [[nodiscard]] std::string help() const {
        return filter_.empty()
                   ? kKeys
                   : fmt::format("only '{}' (/ and return: all)   {}", printable(filter_), kKeys);
    }

    static std::string replace_newlines(const std::string& text) {
        std::string result;
        for (const char c : text)
            result += c == '\n' ? std::string{"\x1b[K\r\n"} : std::string(1, c);
        return result;
    }

    void handle_keys() {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (::poll(&input, 1, delay_) <= 0) return;
        std::array<char, 64> keys{};
        const auto got = ::read(STDIN_FILENO, keys.data(), keys.size());
        if (got == 0 || (got < 0 && errno != EINTR)) done_ = true;
        for (ssize_t i = 0; i < got; ++i)
            key(keys.at(static_cast<std::size_t>(i)));
    }

    void key(char c) {
        if (asking_ != '\0') return edit(c);
        line_.clear();
        constexpr char kInterrupt = 3;
        if (c == 'q' || c == kInterrupt) done_ = true;
        if (c == 'c') sort_ = TopSort::cpu;
        if (c == 'm') sort_ = TopSort::memory;
        if (c == 'p') sort_ = TopSort::pid;
        if (c == 't') sort_ = TopSort::time;
        if (c == 'i') sort_ = TopSort::container;
        if (c == 'k') ask('k', "signal [SIG] HOSTPID: ");
        if (c == '/') ask('/', "filter: ");
    }

    void ask(char what, std::string question) {
        asking_ = what;
        answer_.clear();
        question_ = std::move(question);
        line_ = question_;
    }

    void edit(char c) {
        constexpr char kEscape = 27, kBackspace = 127;
        if (c == kEscape || c == 3) {
            asking_ = '\0';
            line_.clear();
            return;
        }
        if (c == '\r' || c == '\n') return finish_question();
        if ((c == kBackspace || c == '\b') && !answer_.empty())
            answer_.pop_back();
        else if (c >= ' ' && c != kBackspace)
            answer_ += c;
        line_ = question_ + answer_;
    }

    void finish_question() {
        line_.clear();
        if (std::exchange(asking_, '\0') == '/')
            filter_ = answer_;
        else
            signal_process();
    }

    /// "HUP 4711" or "4711".
    void signal_process() {
        const auto space = answer_.rfind(' ');
        const auto signal = space == answer_.npos ? "TERM" : answer_.substr(0, space);
        const auto pid = parse_u32(space == answer_.npos ? answer_ : answer_.substr(space + 1));
        try {
            if (!pid) throw Error(Code::invalid_argument, "write HUP 4711, or 4711 for TERM");
            Request who = get("processes");
            who.target += fmt::format("?pid={}", *pid);
            const auto process = decode_process(session_.look_up(who));
            (void)session_.look_up(kill(process.container, signal, false, *pid));
            line_ = fmt::format("sent {} to {} of {}", signal, *pid, process.container);
        } catch (const Error& error) {
            line_ = printable(error.detail());
        }
    }

    static constexpr const char* kKeys =
        "sort: c cpu  m memory  p pid  t time  i container   k signal  / filter  q quit";
    const Session& session_;
    std::string sandbox_, filter_;
    TopSort sort_;
    int delay_;
    std::optional<std::uint64_t> left_;
    TopMeter meter_;
    bool done_ = false;
    char asking_ = '\0';
    std::string question_, answer_, line_;
};

void require_good(const TopOptions& options) {
    if (!options.sandbox.empty()) require_valid_id(options.sandbox, "sandbox id");
    constexpr std::array<std::string_view, 5> kNames{"cpu", "mem", "pid", "time", "container"};
    if (!top_sort(options.sort))
        throw Error(Code::invalid_argument, fmt::format("--sort {}: unknown column{}", options.sort,
                                                        did_you_mean(options.sort, kNames)))
            .with_fix("--sort cpu, mem, pid, time or container");
    if (options.delay && !(*options.delay >= kShortest && *options.delay <= kLongest))
        throw Error(Code::invalid_argument, fmt::format("-d {}: must be {} to {} seconds",
                                                        *options.delay, kShortest, kLongest))
            .with_fix("-d 2");
    if (options.times && *options.times == 0)
        throw Error(Code::invalid_argument, "-n 0: nothing would be shown").with_fix("-n 1");
}

int top(const Session& session, const TopOptions& options) {
    require_good(options);
    if (session.settings.curl) {
        (void)session.ask(options.sandbox.empty() ? get("sandboxes")
                                                  : get("sandboxes", options.sandbox, "processes"));
        return 0;
    }
    Top view{session, options};
    if (options.batch) return view.run_batch();
    if (!is_terminal(FdRef{STDIN_FILENO}) || !is_terminal(FdRef{STDOUT_FILENO}))
        throw Error(Code::failed_precondition, "top needs a terminal to be live in")
            .with_fix("covey top -b -n 1");
    return view.run_live();
}

}  // namespace

void add_top(const Options& app, Session& session) {
    const Options command = app.command("top", "Show the processes of sandboxes, live");
    const auto options = std::make_shared<TopOptions>();
    command.optional("SANDBOX", options->sandbox, "only this sandbox");
    command.flag("-b,--batch", options->batch, "plain text, no keys");
    command.value("-d,--delay", "SEC", options->delay, "between two looks; 2 if absent");
    command.value("-n,--times", "N", options->times, "end after N looks");
    command.value("--sort", "COLUMN", options->sort, "cpu, mem, pid, time or container");
    command.value("--filter", "TEXT", options->filter,
                  "only rows with this in container, user or command");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return top(session, *options); };
    });
}

}  // namespace covey::ctl
