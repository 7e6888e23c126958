// Tables of text: aligned columns, one line a row, cut to the terminal. Called by every command
// that lists something. Thread rule: a value. Does not block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace covey::ctl {

enum class Align { left, right };

struct Column {
    std::string title;
    Align align = Align::left;
};

struct TableStyle {
    bool header = true;
    /// Columns of the terminal; lines longer than this end in "…". 0: never cut (not a terminal).
    std::size_t width = 0;
};

class Table {
  public:
    explicit Table(std::vector<Column> columns);
    /// One cell for each column. Cells are made printable; an empty one shows as "–".
    void add(std::vector<std::string> cells);
    [[nodiscard]] std::string render(const TableStyle& style) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace covey::ctl
