// SAM's Globals section: one function's properties with the shared ones merged in.
#pragma once

#include "emulator/template/document.h"

namespace emulator::templates {

// SAM's rules: maps are merged key by key, lists are put one after the other with the shared one
// first, and anything else — a call of an intrinsic function too — is taken from `own` when it is
// there. Source: SAM developer guide, "Globals section of the AWS SAM template".
Node merge_globals(const Node& shared, const Node& own);

}  // namespace emulator::templates
