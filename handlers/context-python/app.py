"""Tells what AWS's client for Python makes known of an invocation, and does what an event asks for:
{"do": "describe"}, {"do": "log", "text": ...}, {"do": "fail", "text": ...}, or {"do": "meet", "number":
..., "of": ...}, which ends when invocations with the numbers from 0 to below "of" are under way in its
environment. Of any other event it answers the same. CONTEXT_FAILS_IN_INIT makes the start fail.
"""

import logging
import os
import time
from pathlib import Path

if "CONTEXT_FAILS_IN_INIT" in os.environ:
    raise RuntimeError("asked to fail before the first event")

logging.getLogger().setLevel(logging.INFO)


class WishError(Exception):
    """What an event asked for."""


def handler(event, context):
    wish = event.get("do")
    if wish == "describe":
        return describe(context)
    if wish == "log":
        print("printed:", event["text"])
        logging.info("logged: %s", event["text"])
    if wish == "fail":
        raise WishError(event["text"])
    if wish == "meet":
        meet(event["number"], event["of"])
    return event


def meet(number, of):
    Path(f"/tmp/met-{number}").touch()
    while not all(Path(f"/tmp/met-{other}").exists() for other in range(of)):
        time.sleep(0.005)


def describe(context):
    client = context.client_context
    return {
        "request_id": context.aws_request_id,
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_mb": int(context.memory_limit_in_mb),
        "log_group": context.log_group_name,
        "log_stream": context.log_stream_name,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "tenant_id": context.tenant_id,
        "custom": client.custom if client else None,
        "trace_id": os.environ.get("_X_AMZN_TRACE_ID"),
    }
