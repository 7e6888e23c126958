// What covey-shim frees is wiped. An init that waits at its gate is a copy of this process, in the
// sight of a pod: whoever may trace it reads its memory, and with it what was left there of the
// words and environments of other containers' execs. The sanitizers have allocators of their own,
// and are for no node.
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

void wipe_and_free(void* memory) noexcept {
    if (memory == nullptr) return;
    ::explicit_bzero(memory, ::malloc_usable_size(memory));
    std::free(memory);
}

}  // namespace

void operator delete(void* memory) noexcept {
    wipe_and_free(memory);
}
void operator delete[](void* memory) noexcept {
    wipe_and_free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    wipe_and_free(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    wipe_and_free(memory);
}

#endif
