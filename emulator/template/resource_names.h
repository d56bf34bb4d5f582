// What Ref and GetAtt give for a resource that exists nowhere but in the template: the identifier
// AWS would most plausibly have given it, the same at every run.
//
// Names: the name property (FunctionName, BucketName, QueueName, TopicName, TableName, RoleName …)
// when it is written, else the logical id; for a bucket, whose name must be lower case and unique
// among all accounts, <stack>-<logical id>-<account> in lower case. AWS would add a random suffix.
//
//   resource                  Ref gives      Arn
//   function                  name           arn:aws:lambda:REGION:ACCOUNT:function:NAME
//   layer version             Arn            arn:aws:lambda:REGION:ACCOUNT:layer:NAME:1
//   S3 bucket                 name           arn:aws:s3:::NAME
//   SQS queue                 QueueUrl       arn:aws:sqs:REGION:ACCOUNT:NAME
//   SNS topic                 Arn            arn:aws:sns:REGION:ACCOUNT:NAME
//   DynamoDB table            name           arn:aws:dynamodb:REGION:ACCOUNT:table/NAME
//   Kinesis stream            name           arn:aws:kinesis:REGION:ACCOUNT:stream/NAME
//   IAM role                  name           arn:aws:iam::ACCOUNT:role/NAME
//   state machine, secret     Arn            of their service
//   anything else             logical id     arn:aws:SERVICE:REGION:ACCOUNT:LOGICALID
//
// Further attributes: QueueName, QueueUrl, TopicName, TopicArn, StreamArn, RoleId, and for a bucket
// DomainName, RegionalDomainName, WebsiteURL. Any other attribute gives "<logical id>.<attribute>".
//
// Values only; any thread. Source of what Ref and GetAtt return: the CloudFormation template
// reference, "Return values" of each resource type.
#pragma once

#include "emulator/template/deployment.h"

#include <optional>
#include <string>
#include <string_view>

namespace emulator::templates {

struct ResourceIdentity {
  std::string logical_id;
  std::string type;                       // AWS::SQS::Queue
  std::optional<std::string> given_name;  // the value of its name property
};

bool is_function_type(std::string_view type);
bool is_layer_type(std::string_view type);

// The property that names a resource of this type; empty when there is none that we follow.
std::string_view name_property(std::string_view type);

std::string physical_name(const ResourceIdentity& resource, const Deployment& deployment);
std::string reference_value(const ResourceIdentity& resource, const Deployment& deployment);
std::string attribute_value(const ResourceIdentity& resource,
                            std::string_view attribute,
                            const Deployment& deployment);

}  // namespace emulator::templates
