// Answers with the event it was given, byte for byte.
#include "handlers/runtime_client/runtime_client.h"

int main() {
  return runtime_client::run([](const runtime_client::Invocation& invocation) {
    return runtime_client::Result::response(std::string(invocation.payload));
  });
}
