// The document a caller is given in place of a response, for every way an invocation can fail.
//
// Pure; any thread.
#pragma once

#include "emulator/environment/invocation_report.h"
#include "emulator/environment/outcome.h"

#include <string>
#include <string_view>

namespace emulator::invoke {

// Whose wording: the hosted service's, or that of the emulator AWS publishes (RIE).
using Profile = environment::Profile;

// The bytes of the error document. Empty for a success, and where RIE answers without a body: a
// runtime that ended, or could not start, before it asked for its first event.
//
// Sources: responses recorded from the service (timeout, exit, too large: 2025-11); RIE observed as
// a black box. Unverified, ours: the aws wording for a truncated response and for a runtime that
// never started, and RIE's for a truncated response, where RIE itself waits for the timeout.
std::string error_body(const environment::Outcome& outcome,
                       std::string_view request_id,
                       Profile profile);

// The message in such a document; all of it where none can be read.
std::string error_message_in(const std::string& body);

}  // namespace emulator::invoke
