// Where a template is made believe to be deployed. Its pseudo parameters come from here.
#pragma once

#include "emulator/functions/function.h"

#include <string>

namespace emulator::templates {

struct Deployment {
  std::string region{functions::kDefaultRegion};
  std::string account{functions::kDefaultAccount};
  std::string stack_name = "hearth";

  // aws, aws-cn or aws-us-gov, after the region.
  std::string partition() const;
  // amazonaws.com, or amazonaws.com.cn in China's regions.
  std::string url_suffix() const;
  // The same identifier at every run, so that what depends on it can be compared between runs.
  std::string stack_id() const;
};

}  // namespace emulator::templates
