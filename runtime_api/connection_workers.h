// Threads that serve the connections of one HTTP listener.
//
// The library's own pool can leave a connection waiting while a thread that it counts as idle is
// being given another one; with requests that park for minutes that is a hang. Here a connection
// always has a thread at once, or is refused.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace httplib {
class TaskQueue;
}

namespace runtime_api {

// At most `max_threads` connections are served at a time; further ones are closed. Threads are made
// when needed and kept for `kept_threads` of them. `begins` is called on a connection's thread
// before anything else. The listener owns the result. Any thread.
std::unique_ptr<httplib::TaskQueue> make_connection_workers(std::size_t kept_threads,
                                                            std::size_t max_threads,
                                                            std::function<void()> begins = {});

}  // namespace runtime_api
