#include "handlers/testees/answering.h"

#include "handlers/runtime_client/runtime_client.h"
#include "handlers/testees/variables.h"

#include <cstdio>
#include <cstdlib>

namespace testees {
namespace {

constexpr std::string_view kRest = "\"rest\"";

}  // namespace

int answer_events(const Answer& answer) {
  const auto answered = [&](std::string_view event) {
    return event == kRest ? std::string(event) : answer(event);
  };
  if (!variable("AWS_LAMBDA_RUNTIME_API").empty()) {
    return runtime_client::run([&](const runtime_client::Invocation& invocation) {
      return runtime_client::Result::response(answered(invocation.payload));
    });
  }
  const auto text = answered(variable("TESTEE_EVENT", "null")) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace testees
