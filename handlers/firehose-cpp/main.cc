// Firehose data transformation: Apache access-log lines in, JSON lines out.
#include "handlers/firehose-cpp/transformation.h"
#include "handlers/runtime_client/runtime_client.h"

int main() {
  return runtime_client::run([](const runtime_client::Invocation& invocation) {
    auto answer = firehose::transform(invocation.payload);
    if (!answer) {
      return runtime_client::Result::error("InvalidEvent",
                                           "the event is not one of a Firehose transformation");
    }
    return runtime_client::Result::response(std::move(*answer));
  });
}
