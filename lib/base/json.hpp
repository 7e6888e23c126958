// nlohmann::json, whose default instantiation is compiled once (json_compiled.cpp): each file that
// includes this compiles what it adds, not the class again (2 s less a file under sanitizers).
#pragma once

#include <nlohmann/json.hpp>

extern template class nlohmann::basic_json<>;
