// The life of a function through the AWS SDK for JavaScript.
//
// walk.mjs ENDPOINT ZIP OTHER_ZIP: the files are packages of Python functions. Prints, as JSON, what
// came of each step.
import { readFileSync } from "node:fs";
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  paginateListFunctions,
  paginateListVersionsByFunction,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";

const [endpoint, zip, otherZip] = process.argv.slice(2);
const client = new LambdaClient({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "any", secretAccessKey: "any" },
  maxAttempts: 1,
});
const FunctionName = "walker";
const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 60 };

async function invoked(qualifier) {
  const answer = await client.send(new InvokeCommand({ FunctionName, Qualifier: qualifier }));
  return [answer.StatusCode, Buffer.from(answer.Payload).toString(), answer.ExecutedVersion];
}

async function all(pages, list, member) {
  const values = [];
  for await (const page of pages) values.push(...page[list].map((entry) => entry[member]));
  return values;
}

async function errorOf(command) {
  try {
    await client.send(command);
    return null;
  } catch (error) {
    return [error.name, error.message, error.$metadata.httpStatusCode];
  }
}

const said = {};
const created = await client.send(
  new CreateFunctionCommand({
    FunctionName,
    Runtime: "python3.11",
    Role: "arn:aws:iam::123456789012:role/any",
    Handler: "app.handler",
    Timeout: 20,
    Code: { ZipFile: readFileSync(zip) },
  }),
);
said.created = created.State;
said.active = (await waitUntilFunctionActiveV2(waiting, { FunctionName })).state;
said.invoked = await invoked();
const updated = await client.send(
  new UpdateFunctionCodeCommand({ FunctionName, ZipFile: readFileSync(otherZip) }),
);
said.updating = updated.LastUpdateStatus;
said.updated = (await waitUntilFunctionUpdatedV2(waiting, { FunctionName })).state;
said.invokedAgain = await invoked();
const published = await client.send(new PublishVersionCommand({ FunctionName }));
said.published = published.Version;
const configured = await client.send(
  new UpdateFunctionConfigurationCommand({
    FunctionName,
    MemorySize: 192,
    Environment: { Variables: { A: "b" } },
  }),
);
said.configured = [configured.MemorySize, configured.Environment.Variables];
await client.send(new CreateAliasCommand({ FunctionName, Name: "live", FunctionVersion: "1" }));
said.invokedByAlias = await invoked("live");
said.functions = await all(
  paginateListFunctions({ client, pageSize: 1 }, {}),
  "Functions",
  "FunctionName",
);
said.versions = await all(
  paginateListVersionsByFunction({ client, pageSize: 1 }, { FunctionName }),
  "Versions",
  "Version",
);
said.deleted = (await client.send(new DeleteFunctionCommand({ FunctionName }))).$metadata
  .httpStatusCode;
said.missing = await errorOf(new GetFunctionCommand({ FunctionName }));
console.log(JSON.stringify(said));
