// Where a value stands in a document, and the collection of all that is wrong with it. Internal to
// lib/spec: made by load, filled by the parse functions. Thread rule: one thread. Does not block.
#pragma once

#include "spec/problem.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace covey::spec {

/// A chain of keys and indexes up to the document, kept on the stack: the pointer's text is only
/// made when there is something to complain about. A Place must not outlive its parent or its key.
class Place {
  public:
    Place() = default;  // the document itself
    Place(const Place* parent, std::string_view key) : parent_(parent), key_(key) {}
    Place(const Place* parent, std::size_t index)
        : parent_(parent), index_(index), is_index_(true) {}

    /// RFC 6901: '~' is "~0", '/' is "~1".
    [[nodiscard]] std::string pointer() const;

  private:
    const Place* parent_ = nullptr;
    std::string_view key_;
    std::size_t index_ = 0;
    bool is_index_ = false;
};

/// '~' and '/' of a key as RFC 6901 wants them; control bytes as \xNN.
void append_escaped(std::string& pointer, std::string_view key);
/// 'text' for a message: control bytes as \xNN, long texts cut.
[[nodiscard]] std::string quote(std::string_view text);

class Collector {
  public:
    /// Beyond this many a document is garbage, and the answer must stay small.
    static constexpr std::size_t kMost = 1000;

    void add(const Place& place, std::string message) { add(place.pointer(), std::move(message)); }
    void add(std::string pointer, std::string message);
    /// Nothing was wrong at or below this pointer: rules between fields ask before they judge.
    [[nodiscard]] bool clean(std::string_view pointer) const noexcept;
    [[nodiscard]] bool empty() const noexcept { return problems_.empty(); }
    [[nodiscard]] std::vector<Problem> take() { return std::move(problems_); }

  private:
    std::vector<Problem> problems_;
};

}  // namespace covey::spec
