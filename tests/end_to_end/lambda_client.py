"""Calls Lambda's API through boto3, as any program would.

lambda_client.py ENDPOINT < CALLS: CALLS is a JSON list of {operation: arguments}; printed is the
list of what came of them, an exception as {"error": code, ...}. Two more are known beside boto3's
operations: {"wait": {"for": waiter, ...arguments}}, printed as {"waited": waiter}, and
{"paginate": {"operation": operation, "size": N, ...arguments}}, printed as {"pages": [answer, ...]}.

The events of a stream are printed as [{"chunk": text}, ..., {"complete": members}].

Bytes are given as {"base64": text}. Printed bytes become text, moments become ISO 8601.
"""

import base64
import datetime
import json
import sys

import boto3
import botocore.config
import botocore.exceptions


def client(endpoint):
    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def with_bytes(value):
    if isinstance(value, list):
        return [with_bytes(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return {key: with_bytes(entry) for key, entry in value.items()}


def printable(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f"cannot print {type(value).__name__}")


def wait(service, arguments):
    waiter = arguments.pop("for")
    service.get_waiter(waiter).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 60}, **arguments)
    return {"waited": waiter}


def paginate(service, arguments):
    operation = arguments.pop("operation")
    sizes = {"PageSize": arguments.pop("size")}
    pages = service.get_paginator(operation).paginate(PaginationConfig=sizes, **arguments)
    return {"pages": [page for page in pages]}


def printable_event(event):
    if "PayloadChunk" in event:
        return {"chunk": event["PayloadChunk"]["Payload"].decode("utf-8", "replace")}
    return {"complete": event["InvokeComplete"]}


def answer_of(service, operation, arguments):
    if operation == "wait":
        return wait(service, arguments)
    if operation == "paginate":
        return paginate(service, arguments)
    answer = getattr(service, operation)(**arguments)
    if hasattr(answer.get("Payload"), "read"):
        answer["Payload"] = answer["Payload"].read().decode("utf-8")
    if "EventStream" in answer:
        answer["EventStream"] = [printable_event(event) for event in answer["EventStream"]]
    answer["status"] = answer["ResponseMetadata"]["HTTPStatusCode"]
    answer["headers"] = answer.pop("ResponseMetadata")["HTTPHeaders"]
    return answer


def outcome(service, operation, arguments):
    try:
        return answer_of(service, operation, with_bytes(arguments))
    except botocore.exceptions.ClientError as error:
        return {
            "error": error.response["Error"]["Code"],
            "message": error.response["Error"]["Message"],
            "exception": type(error).__name__,
            "reason": error.response.get("Reason"),
            "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
        }
    except (botocore.exceptions.WaiterError, botocore.exceptions.ParamValidationError) as error:
        return {"error": type(error).__name__, "message": str(error)}


def main():
    service = client(sys.argv[1])
    calls = json.load(sys.stdin)
    results = [outcome(service, *pair) for call in calls for pair in call.items()]
    json.dump(results, sys.stdout, default=printable)


if __name__ == "__main__":
    main()
