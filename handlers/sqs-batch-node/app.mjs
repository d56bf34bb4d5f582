// Works through a batch of orders; those that fail stay in the queue, the others leave it.

export const handler = async (event) => {
  const failures = [];
  for (const record of event.Records) {
    // In a FIFO queue what follows a failure must wait for it, so it is returned as well.
    if (failures.length > 0 && isFifo(record)) {
      failures.push(record.messageId);
      continue;
    }
    try {
      await process(JSON.parse(record.body));
    } catch (error) {
      console.log(`message ${record.messageId} failed: ${error}`);
      failures.push(record.messageId);
    }
  }
  return { batchItemFailures: failures.map((itemIdentifier) => ({ itemIdentifier })) };
};

const isFifo = (record) => record.eventSourceARN.endsWith('.fifo');

// An order has an id and a quantity of at least one.
async function process(order) {
  if (order.order_id === undefined) throw new Error('an order needs an order_id');
  if (!Number.isInteger(order.quantity) || order.quantity < 1) {
    throw new Error(`order ${order.order_id} has a quantity of ${order.quantity}`);
  }
  console.log(`order ${order.order_id}: ${order.quantity}`);
}
