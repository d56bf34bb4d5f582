// CloudFormation's intrinsic functions, worked out without an account.
//
// Ref, Fn::Sub (text, or text with a map; ${!Literal} stays), Fn::GetAtt, Fn::Join, Fn::Select,
// Fn::Split, Fn::FindInMap (with DefaultValue), Fn::If, Fn::Base64, and in conditions Fn::Equals,
// Fn::And, Fn::Or, Fn::Not and Condition. Pseudo parameters: AWS::Region, AWS::AccountId,
// AWS::Partition, AWS::StackName, AWS::StackId, AWS::URLSuffix, AWS::NoValue,
// AWS::NotificationARNs (an empty list). What Ref and GetAtt give for resources: resource_names.h.
// Every other function is an error that says what to write instead — but only where its value is
// needed, because nothing else is worked out.
//
// One instance reads one template, on one thread. The root node must outlive it and not move.
#pragma once

#include "emulator/template/deployment.h"
#include "emulator/template/document.h"
#include "emulator/template/parameters.h"
#include "emulator/template/resource_names.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::templates {

// Our choices against templates whose functions multiply their input.
inline constexpr int kMaxResolutionDepth = 200;
inline constexpr std::size_t kMaxResolvedBytes =
    std::size_t{32} * 1024 * 1024;  // over a whole template

class Intrinsics {
 public:
  using Resolved = tl::expected<Node, TemplateError>;

  Intrinsics(const Node& root, Parameters parameters, Deployment deployment);

  // The node with every function in it replaced by its value. Members and items that come out as
  // AWS::NoValue are left out; a node that does so itself has kind absent.
  Resolved resolve(const Node& node);

  // Whether the named condition holds. `asker` is the node that named it.
  tl::expected<bool, TemplateError> condition(const std::string& name, const Node& asker);

  // A resource's identity, its name property worked out.
  tl::expected<ResourceIdentity, TemplateError> identity(const std::string& logical_id,
                                                         const Node& asker);

  const Deployment& deployment() const { return deployment_; }

  // The logical ids of the resources whose Ref or GetAtt was worked out since the last call.
  std::set<std::string> take_references();
  // Puts back what take_references gave, in place of what was worked out since.
  void restore_references(std::set<std::string> references) { references_ = std::move(references); }

 private:
  using Function = Resolved (Intrinsics::*)(const Node& call, const Node& argument);
  using Text = tl::expected<std::string, TemplateError>;
  static Function find_function(std::string_view name);

  Resolved resolve_map(const Node& node);
  Resolved resolve_list(const Node& node);
  Resolved call(const Node& node);

  Resolved ref(const Node& call, const Node& argument);
  Resolved sub(const Node& call, const Node& argument);
  Resolved get_att(const Node& call, const Node& argument);
  Resolved join(const Node& call, const Node& argument);
  Resolved select(const Node& call, const Node& argument);
  Resolved split(const Node& call, const Node& argument);
  Resolved find_in_map(const Node& call, const Node& argument);
  Resolved choose(const Node& call, const Node& argument);  // Fn::If
  Resolved base64(const Node& call, const Node& argument);

  Resolved reference(const std::string& name, const Node& asker);
  tl::expected<ResourceIdentity, TemplateError> implied_identity(const std::string& logical_id,
                                                                 const Node& asker);
  tl::expected<ResourceIdentity, TemplateError> declared_identity(const std::string& logical_id,
                                                                  const Node& resource,
                                                                  const Node& asker);
  Resolved attribute(const std::string& logical_id, const std::string& name, const Node& asker);
  Text sub_variable(const std::string& name, const Node& call, const Node* variables);
  // The argument as a list of `least` to `most` items; `form` shows how the call is written.
  tl::expected<const Node*, TemplateError> arguments(const Node& call,
                                                     const Node& argument,
                                                     std::size_t least,
                                                     std::size_t most,
                                                     std::string form);
  Text text(const Node& node, std::string_view role);
  tl::expected<bool, TemplateError> truth(const Node& node);
  tl::expected<bool, TemplateError> all_or_any(const Node& call, const Node& argument);
  tl::expected<bool, TemplateError> equal(const Node& call, const Node& argument);
  const Node* section(std::string_view name) const;
  std::vector<std::string> names_in(std::string_view section_name) const;
  // Counts what resolving produced; an error beyond kMaxResolvedBytes.
  tl::expected<void, TemplateError> produce(std::size_t bytes, const Node& place);

  const Node& root_;
  Parameters parameters_;
  Deployment deployment_;
  std::map<std::string, ResourceIdentity, std::less<>> identities_;
  std::map<std::string, bool, std::less<>> conditions_;
  std::vector<std::string> open_identities_;  // being worked out, to notice circles
  std::vector<std::string> open_conditions_;
  std::set<std::string> references_;
  std::size_t produced_ = 0;
  int depth_ = 0;
};

// Whether the node is a call of an intrinsic function, and so has no members of its own.
bool is_intrinsic(const Node& node);

}  // namespace emulator::templates
