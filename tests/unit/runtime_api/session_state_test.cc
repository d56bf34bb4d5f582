#include "runtime_api/session_state.h"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <utility>

using namespace runtime_api;
using S = RuntimeState;
using C = RuntimeCause;

TEST_CASE("the runtime's state table allows what the published emulator allows and nothing else") {
  const std::map<std::pair<S, C>, S> allowed = {
      {{S::started, C::next_called}, S::ready},
      {{S::started, C::init_error_reported}, S::init_error},
      {{S::ready, C::next_called}, S::ready},
      {{S::ready, C::invocation_given}, S::running},
      {{S::running, C::next_called}, S::running},
      {{S::running, C::invocation_given}, S::running},
      {{S::running, C::response_begun}, S::invocation_response},
      {{S::running, C::error_begun}, S::invocation_error_response},
      {{S::invocation_response, C::answer_complete}, S::response_sent},
      {{S::invocation_response, C::answer_refused}, S::running},
      {{S::invocation_error_response, C::answer_complete}, S::response_sent},
      {{S::invocation_error_response, C::answer_refused}, S::running},
      {{S::response_sent, C::next_called}, S::ready},
      {{S::started, C::restore_next_called}, S::restore_ready},
      {{S::restore_ready, C::restored}, S::restoring},
      {{S::restoring, C::next_called}, S::ready},
      {{S::restoring, C::restore_error_reported}, S::restore_error},
      {{S::restoring, C::init_error_reported}, S::restore_error},
  };
  for (int from = 0; from <= static_cast<int>(S::restore_error); ++from) {
    for (int cause = 0; cause <= static_cast<int>(C::restore_error_reported); ++cause) {
      const std::pair key{static_cast<S>(from), static_cast<C>(cause)};
      INFO(printed_name(key.first) << " and cause " << cause);
      const auto expected = allowed.find(key);
      const auto to = next_state(key.first, key.second);
      CHECK(to.has_value() == (expected != allowed.end()));
      if (to && expected != allowed.end()) CHECK(*to == expected->second);
    }
  }
}
