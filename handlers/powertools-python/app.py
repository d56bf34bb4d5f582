"""Orders from a queue and payments, with Powertools for AWS Lambda: structured logs, traces, metrics,
batches that fail in part, and payments that are made once however often they are asked for.
"""

import json
import uuid

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

logger = Logger(service="orders")
tracer = Tracer(service="orders")
metrics = Metrics(namespace="Shop", service="orders")
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
payments = DynamoDBPersistenceLayer(table_name="payments")
once = IdempotencyConfig(event_key_jmespath="payment_id")


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    if "payment" in event:
        once.register_lambda_context(context)
        return pay(payment=event["payment"])
    return process_partial_response(
        event=event, record_handler=take_order, processor=processor, context=context
    )


@tracer.capture_method
def take_order(record):
    order = json.loads(record.body)
    if order["quantity"] < 1:
        raise ValueError(f"order {order['order_id']} is for nothing")
    tracer.put_annotation(key="order_id", value=order["order_id"])
    metrics.add_metric(name="OrdersTaken", unit=MetricUnit.Count, value=1)
    logger.info("order taken", order_id=order["order_id"])


@idempotent_function(data_keyword_argument="payment", persistence_store=payments, config=once)
def pay(payment):
    logger.info("payment made", payment_id=payment["payment_id"])
    return {"payment_id": payment["payment_id"], "receipt": str(uuid.uuid4())}
