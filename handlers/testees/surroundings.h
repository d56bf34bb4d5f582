// What a function sees around itself.
#pragma once

#include <string>

namespace testees {

// {"environment":{NAME:VALUE},"working_folder":…,"user":…,"group":…,"process":PID,
//  "limits":{NAME:{"soft":N|null,"hard":N|null}},"descriptors":{"NUMBER":TARGET}} of this process;
// a limit of null is unlimited.
std::string describe_surroundings();

}  // namespace testees
