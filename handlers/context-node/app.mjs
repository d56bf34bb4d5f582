// Tells what AWS's client for Node.js makes known of an invocation, and does what an event asks for:
// {"do": "describe"}, {"do": "log", "text": ...}, {"do": "fail", "text": ...}, or {"do": "meet", "number":
// ..., "of": ...}, which ends when invocations with the numbers from 0 to below "of" are under way in its
// environment. Of any other event it answers the same. CONTEXT_FAILS_IN_INIT makes the start fail. The
// handler named streaming sends the parts of {"parts": [...]} one by one, and with {"fail_with": ...}
// fails after the last.
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';

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
  if (event.do === 'meet') await meet(event.number, event.of);
  return event;
};

async function meet(number, of) {
  writeFileSync(`/tmp/met-${number}`, '');
  const all = Array.from({ length: of }, (_, other) => `/tmp/met-${other}`);
  while (!all.every(existsSync)) await rest(5);
}

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
