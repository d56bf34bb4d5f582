// The socket of a connection that is known by its two ends only: the HTTP library keeps the sockets
// that it serves to itself, and a thread that waits in one for a client that does not read can be
// reached in no other way.
//
// Any thread.
#pragma once

#include <string>

namespace emulator::front_doors {

// Numeric addresses, as the library names them.
struct ConnectionEnds {
  std::string remote_address;
  int remote_port = 0;
  std::string local_address;
  int local_port = 0;
};

// Whoever reads or writes on the connection finds it ended. The caller sees to it that the
// connection's own thread does not close the socket meanwhile. Nothing happens where there is no
// such connection.
void hang_up(const ConnectionEnds& ends);

}  // namespace emulator::front_doors
