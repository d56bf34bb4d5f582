// Reads a streamed response through the AWS SDK for JavaScript.
//
// stream.mjs ENDPOINT FUNCTION PAYLOAD [LOG_TYPE]: prints, as JSON, what the answer's head says, the
// whole of its chunks as text, and its InvokeComplete.
import { InvokeWithResponseStreamCommand, LambdaClient } from "@aws-sdk/client-lambda";

const [endpoint, FunctionName, Payload, LogType] = process.argv.slice(2);
const client = new LambdaClient({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "any", secretAccessKey: "any" },
  maxAttempts: 1,
});

const answer = await client.send(
  new InvokeWithResponseStreamCommand({ FunctionName, Payload, LogType }),
);
const chunks = [];
let complete = null;
for await (const event of answer.EventStream) {
  if (event.PayloadChunk) chunks.push(Buffer.from(event.PayloadChunk.Payload));
  if (event.InvokeComplete) complete = event.InvokeComplete;
}
console.log(
  JSON.stringify({
    status: answer.StatusCode,
    version: answer.ExecutedVersion,
    text: Buffer.concat(chunks).toString(),
    complete,
  }),
);
