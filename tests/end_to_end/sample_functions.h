// Calls the handlers of the sample functions directly, without a Runtime API: the interpreters of
// this host load the sample and call it once.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace samples {

enum class Language { python, node };

// Skips the running test when the host has no such interpreter.
void require(Language language);

// The handler of handlers/<folder>/app, given the event; what it returned as one line of JSON, with
// members in the order the handler gave them. Fails the test when the handler threw.
std::string call(Language language, const std::string& folder, const nlohmann::json& event);

}  // namespace samples
