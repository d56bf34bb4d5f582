// Describes each object that S3 says was uploaded.
import { createHash } from 'node:crypto';
import { posix } from 'node:path';

const CONTENT_TYPES = {
  '.csv': 'text/csv',
  '.gif': 'image/gif',
  '.gz': 'application/gzip',
  '.html': 'text/html',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.txt': 'text/plain',
  '.zip': 'application/zip',
};

export const handler = async (event) => {
  // S3's test message, which a queue may pass on, has no records.
  const objects = (event.Records ?? []).map((record) => describe(record.s3));
  for (const described of objects) console.log(JSON.stringify(described));
  return { objects };
};

function describe(s3) {
  const bucket = s3.bucket.name;
  const key = decodeURIComponent(s3.object.key.replaceAll('+', ' ')); // form-encoded in events
  return {
    id: objectId(bucket, key),
    bucket,
    key,
    size: s3.object.size ?? 0,
    content_type: CONTENT_TYPES[posix.extname(key).toLowerCase()] ?? 'application/octet-stream',
  };
}

// The same object has the same id, whenever and wherever it is uploaded again.
const objectId = (bucket, key) =>
  createHash('sha256').update(`${bucket}/${key}`).digest('hex').slice(0, 32);
