// Docker's framing of several streams in one body (application/vnd.docker.multiplexed-stream):
// eight bytes [stream, 0, 0, 0, length big-endian], then the bytes. Called by the exec command.
// Thread rule: a value. Does not block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace covey::ctl {

enum class Stream : std::uint8_t { input = 0, output = 1, error = 2, problem = 3 };

struct Piece {
    Stream stream = Stream::output;
    std::string bytes;
};

class FrameReader {
  public:
    /// What `bytes` completes; a frame may arrive in any number of parts. A piece of a frame that
    /// is not yet complete is handed out at once. Throws Code::internal on an unknown stream
    /// number.
    std::vector<Piece> feed(std::string_view bytes);
    /// False in the middle of a frame: then the body was cut short.
    [[nodiscard]] bool at_boundary() const noexcept { return head_.empty() && left_ == 0; }

  private:
    std::string head_;        // of a frame whose head is not complete
    std::uint32_t left_ = 0;  // bytes of the current frame still to come
    Stream stream_ = Stream::output;
};

}  // namespace covey::ctl
