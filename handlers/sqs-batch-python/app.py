"""Works through a batch of orders; those that fail stay in the queue, the others leave it."""

import json


def handler(event, context):
    failures = []
    for record in event["Records"]:
        # In a FIFO queue what follows a failure must wait for it, so it is returned as well.
        if failures and is_fifo(record):
            failures.append(record["messageId"])
            continue
        try:
            process(json.loads(record["body"]))
        except (ValueError, TypeError, KeyError) as error:
            print(f"message {record['messageId']} failed: {error!r}")
            failures.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failures]}


def is_fifo(record):
    return record["eventSourceARN"].endswith(".fifo")


def process(order):
    """An order has an id and a quantity of at least one."""
    quantity = order["quantity"]
    if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity < 1:
        raise ValueError(f"order {order['order_id']} has a quantity of {quantity!r}")
    print(f"order {order['order_id']}: {quantity}")
