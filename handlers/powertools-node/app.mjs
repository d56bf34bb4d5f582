// Orders from a queue and payments, with Powertools for AWS Lambda: structured logs, traces, metrics,
// batches that fail in part, and payments that are made once however often they are asked for.
import { randomUUID } from 'node:crypto';
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { captureLambdaHandler } from '@aws-lambda-powertools/tracer/middleware';
import middy from '@middy/core';

const logger = new Logger({ serviceName: 'orders' });
const tracer = new Tracer({ serviceName: 'orders' });
const metrics = new Metrics({ namespace: 'Shop', serviceName: 'orders' });
const processor = new BatchProcessor(EventType.SQS);
const payments = new DynamoDBPersistenceLayer({ tableName: 'payments' });
const once = new IdempotencyConfig({ eventKeyJmesPath: 'payment_id' });

const pay = makeIdempotent(
  async (payment) => {
    logger.info('payment made', { payment_id: payment.payment_id });
    return { payment_id: payment.payment_id, receipt: randomUUID() };
  },
  { persistenceStore: payments, config: once },
);

async function takeOrder(record) {
  const order = JSON.parse(record.body);
  if (!(order.quantity >= 1)) throw new RangeError(`order ${order.order_id} is for nothing`);
  tracer.putAnnotation('order_id', order.order_id);
  metrics.addMetric('OrdersTaken', MetricUnit.Count, 1);
  logger.info('order taken', { order_id: order.order_id });
}

async function answer(event, context) {
  if (event.payment) {
    once.registerLambdaContext(context);
    return pay(event.payment);
  }
  return processPartialResponse(event, takeOrder, processor, {
    context,
    throwOnFullBatchFailure: false,
  });
}

export const handler = middy(answer)
  .use(injectLambdaContext(logger))
  .use(captureLambdaHandler(tracer))
  .use(logMetrics(metrics, { captureColdStartMetric: true }));
