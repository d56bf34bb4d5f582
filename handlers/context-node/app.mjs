// Tells what AWS's client for Node.js makes known of an invocation, and does what an event asks for:
// {"do": "describe"}, {"do": "log", "text": ...} or {"do": "fail", "text": ...}. Of any other event it
// answers the same. CONTEXT_FAILS_IN_INIT makes the start fail. The handler named streaming sends the
// parts of {"parts": [...]} one by one, and with {"fail_with": ...} fails after the last.

if (process.env.CONTEXT_FAILS_IN_INIT) throw new TypeError('asked to fail before the first event');

class WishError extends Error {
  constructor(message) {
    super(message);
    this.name = 'WishError';
  }
}

export const handler = async (event, context) => {
  if (event.do === 'describe') return describe(context);
  if (event.do === 'log') {
    process.stdout.write(`printed: ${event.text}\n`);
    console.log(`logged: ${event.text}`);
  }
  if (event.do === 'fail') throw new WishError(event.text);
  return event;
};

function describe(context) {
  return {
    request_id: context.awsRequestId,
    function_name: context.functionName,
    function_version: context.functionVersion,
    invoked_function_arn: context.invokedFunctionArn,
    memory_limit_mb: Number(context.memoryLimitInMB),
    log_group: context.logGroupName,
    log_stream: context.logStreamName,
    remaining_ms: context.getRemainingTimeInMillis(),
    tenant_id: context.tenantId ?? null,
    custom: context.clientContext?.custom ?? null,
    trace_id: process.env._X_AMZN_TRACE_ID ?? null,
  };
}

export const streaming = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType('text/plain');
  for (const part of event.parts) {
    if (!stream.write(part)) await new Promise((resolve) => stream.once('drain', resolve));
  }
  if (event.fail_with) throw new WishError(event.fail_with);
  stream.end();
});
