// Times of one operation: p50, p99 and the least, in microseconds, as a table row.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace covey::bench {

class Row {
  public:
    explicit Row(std::string name) : name_(std::move(name)) {}
    template <typename Work>
    void measure(Work&& work) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - begin;
        times_.push_back(took.count());
    }
    void print() {
        std::sort(times_.begin(), times_.end());
        const auto at = [&](double share) {
            return times_[static_cast<std::size_t>(share * static_cast<double>(times_.size() - 1))];
        };
        fmt::print("{:<52} {:>9.0f} {:>9.0f} {:>9.0f} {:>6}\n", name_, at(0), at(0.5), at(0.99),
                   times_.size());
    }
    static void print_header() {
        fmt::print("{:<52} {:>9} {:>9} {:>9} {:>6}\n", "operation (microseconds)", "min", "p50",
                   "p99", "n");
    }

  private:
    std::string name_;
    std::vector<double> times_;
};

}  // namespace covey::bench
