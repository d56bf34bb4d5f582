// Firehose data transformation: Apache access-log lines in, JSON lines out.
import { isHealthCheck, parse, toJson } from './access_log.mjs';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const handler = async (event) => ({ records: event.records.map(transform) });

// Firehose wants every record back, under its own id and in its place.
function transform(record) {
  const entry = parseData(record.data);
  if (!entry) return answer(record, 'ProcessingFailed', record.data);
  if (isHealthCheck(entry)) return answer(record, 'Dropped', record.data);
  return answer(record, 'Ok', Buffer.from(toJson(entry), 'utf8').toString('base64'));
}

function parseData(data) {
  if (!BASE64.test(data)) return null;
  let line;
  try {
    line = utf8.decode(Buffer.from(data, 'base64'));
  } catch {
    return null; // not UTF-8
  }
  return parse(line.replace(/\r?\n$/, ''));
}

const answer = (record, result, data) => ({ recordId: record.recordId, result, data });
