// The one instantiation that base/json.hpp promises.
#include "base/json.hpp"

template class nlohmann::basic_json<>;
