#include "emulator/front_doors/request_target.h"

#include "emulator/front_doors/http_message.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::front_doors;

TEST_CASE("a target is split at the first question mark", "[front_doors]") {
  CHECK(split_target("/a/b?x=1?2").path == "/a/b");
  CHECK(split_target("/a/b?x=1?2").query == "x=1?2");
  CHECK(split_target("/a").query.empty());
  CHECK(split_target("http://host:1/a?b").path == "/a");
  CHECK(split_target("http://host").path == "/");
  CHECK(split_target("*").path == "*");
}

TEST_CASE("percent-encoding is undone, and refused when broken", "[front_doors]") {
  CHECK(percent_decoded("a%3Ab%2fc+d") == "a:b/c+d");
  CHECK(percent_decoded("%00")->size() == 1);
  for (const auto* broken : {"%", "%4", "%zz", "a%2", "%-1"}) CHECK_FALSE(percent_decoded(broken));
}

TEST_CASE("a query parameter is found by its decoded name", "[front_doors]") {
  CHECK(query_value("a=1&Qualifier=%24LATEST&Qualifier=2", "Qualifier") == "$LATEST");
  CHECK(query_value("%51ualifier=x+y", "Qualifier") == "x y");
  CHECK(query_value("Qualifier", "Qualifier") == "");
  CHECK_FALSE(query_value("qualifier=1", "Qualifier"));
  CHECK_FALSE(query_value("Qualifier=%zz", "Qualifier"));
  CHECK_FALSE(query_value("&&=&", "Qualifier"));
}

TEST_CASE("a path is cleaned of empty and dot segments", "[front_doors]") {
  CHECK(cleaned_path("//a//b") == "/a/b");
  CHECK(cleaned_path("/a/./b/../c/") == "/a/c/");
  CHECK(cleaned_path("/../..") == "/");
  CHECK(cleaned_path("") == "/");
  CHECK(cleaned_path("/a/b") == "/a/b");
}

TEST_CASE("a header is found in any case, the first one first", "[front_doors]") {
  Request request;
  request.headers = {{"x-amz-LOG-type", "Tail"}, {"X-Amz-Log-Type", "None"}};
  CHECK(header_value(request, "X-Amz-Log-Type") == "Tail");
  CHECK_FALSE(header_value(request, "X-Amz-Log"));
}
