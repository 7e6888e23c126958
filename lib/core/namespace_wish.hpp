// What a pod wants of one type of namespace: a new one, the host's, or one that is there. Part of
// the messages between coveyd and a shim, and of coveyd's requests. Thread rule: values.
#pragma once

#include "spec/id_mappings.hpp"

#include <string>
#include <vector>

namespace covey::core {

/// A pod's wish for one namespace type.
struct NamespaceWish {
    enum class Kind { create, host, path };
    Kind kind = Kind::create;
    std::string path;
    /// Of a user namespace that is created. The API takes none for "whichever are free": the engine
    /// fills them in before a shim is asked.
    std::vector<spec::IdMapping> uid_mappings = {}, gid_mappings = {};
    friend bool operator==(const NamespaceWish&, const NamespaceWish&) = default;
};

}  // namespace covey::core
