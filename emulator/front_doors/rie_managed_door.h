// The front door of the emulator AWS publishes, in its mode for Managed Instances: the same path as
// in the classic mode, with other statuses. An Error-Type header tells a failure.
//
// Source of every fact here: that emulator's published source and its tests, and itself observed.
//
// Pure but for the functions handed in; any thread.
#pragma once

#include "emulator/front_doors/rie_front_door.h"

#include <string_view>

namespace emulator::front_doors {

// What an outcome looks like from outside: always 200.
Reply managed_rie_reply(invoke::InvocationResult result);

// 400, with the type of why it was not run.
Reply managed_rie_refusal_reply(const invoke::Refusal& refusal);

// POST only. The caller's X-Amzn-RequestId is the invocation's id, its client context is passed on
// as it is. Blocks for as long as the invocation lasts.
Reply answer_managed_rie(Request request, const RieFrontDoor& door);

}  // namespace emulator::front_doors
