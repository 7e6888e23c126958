#include "ctl/table.hpp"

#include "ctl/text_safety.hpp"

#include <algorithm>
#include <utility>

namespace covey::ctl {
namespace {

constexpr std::size_t kGap = 2;

void append_padded(std::string& line, const std::string& cell, std::size_t width, Align align) {
    const std::size_t own = display_width(cell);
    const std::string padding(width > own ? width - own : 0, ' ');
    line += align == Align::right ? padding + cell : cell + padding;
}

void trim_right(std::string& line) {
    line.erase(line.find_last_not_of(' ') + 1);
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
}

void Table::add(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    for (auto& cell : cells)
        cell = cell.empty() ? "–" : printable(cell);
    rows_.push_back(std::move(cells));
}

std::string Table::render(const TableStyle& style) const {
    std::vector<std::string> titles;
    for (const auto& column : columns_)
        titles.push_back(column.title);

    std::vector<std::size_t> widths(columns_.size(), 0);
    const auto measure = [&](const std::vector<std::string>& cells) {
        for (std::size_t i = 0; i < cells.size(); ++i)
            widths[i] = std::max(widths[i], display_width(cells[i]));
    };
    if (style.header) measure(titles);
    for (const auto& row : rows_)
        measure(row);

    std::string text;
    const auto append = [&](const std::vector<std::string>& cells) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i > 0) line.append(kGap, ' ');
            append_padded(line, cells[i], widths[i], columns_[i].align);
        }
        trim_right(line);
        text += cut_to(line, style.width) + "\n";
    };
    if (style.header) append(titles);
    for (const auto& row : rows_)
        append(row);
    return text;
}

}  // namespace covey::ctl
