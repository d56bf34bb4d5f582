// One function resource → a function declaration. Used by sam_template only.
#pragma once

#include "emulator/template/document.h"
#include "emulator/template/intrinsics.h"
#include "emulator/template/project.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::templates {

// What all functions of one template share while they are read; borrowed.
struct Reading {
  Intrinsics& intrinsics;
  const Node& resources;
  const Node* globals = nullptr;  // Globals.Function
  std::filesystem::path folder;   // relative paths start here
  std::string file;               // the template, as the user named it
  std::vector<std::string>& warnings;
};

// Whether a resource exists: it has no Condition, or one that holds.
tl::expected<bool, TemplateError> exists(Intrinsics& intrinsics, const Node& resource);

// "template.yaml:12: ", to begin a warning with.
std::string where(const Reading& reading, Position position);

// Warns of each property that functions of this type do not have.
void warn_of_unknown_properties(Reading& reading,
                                std::string_view type,
                                std::string_view subject,
                                const Node& properties);

class FunctionReader {
 public:
  // `resource` is a member of the Resources section, and outlives the reader.
  FunctionReader(Reading& reading, const Member& resource);

  tl::expected<FunctionDeclaration, TemplateError> read();

 private:
  using Failure = std::optional<TemplateError>;

  bool is_serverless() const;
  // The property worked out; nullopt when it is not written or is AWS::NoValue.
  tl::expected<std::optional<Node>, TemplateError> property(std::string_view name);
  Failure take_text(std::string_view name, std::string& into);
  // Sets `into` to a whole number, if the property is written.
  Failure take_number(std::string_view name, std::string_view unit, std::int64_t& into);
  static Failure number_in(const Node& node, std::string_view unit, std::int64_t& into);

  Failure read_names();
  Failure read_package();
  Failure read_inline(const Node& code);
  Failure read_sizes();
  Failure read_tracing();
  Failure read_tenancy();
  Failure read_snap_start();
  Failure read_managed_instances();
  Failure read_managed_scaling();
  Failure read_logging();
  // Sets `into` to the member of `map`, if it is written; it must be one of `words`.
  static Failure take_word(const Node& map,
                           std::string_view name,
                           std::span<const std::string_view> words,
                           std::string& into);
  Failure read_architecture();
  Failure read_variables();
  Failure read_layers();
  Failure read_layer(const Node& layer);
  // The content of the layer resource with this ARN; nullopt when no resource has it.
  tl::expected<std::optional<std::filesystem::path>, TemplateError> layer_content(
      const std::string& arn);

  Reading& reading_;
  const std::string& logical_id_;
  const Node& resource_;
  Position position_;
  Node properties_;
  FunctionDeclaration result_;
};

}  // namespace emulator::templates
