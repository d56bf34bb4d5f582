// A small HTTP service. Behind a REST API (payload 1.0) or an HTTP API (2.0) it is the same.

const ROUTES = [
  ['GET', /^\/hello$/, hello],
  ['POST', /^\/sum$/, add],
  ['GET', /^\/items\/([^/]+)$/, showItem],
  ['PUT', /^\/size$/, size],
];

export const handler = async (event) => {
  const request = read(event);
  for (const [method, pattern, action] of ROUTES) {
    const match = pattern.exec(request.path);
    if (match && method === request.method) return action(request, ...match.slice(1));
  }
  return reply(404, { error: `there is no ${request.method} ${request.path}` });
};

// What the two payload formats have in common, in one form.
function read(event) {
  const second = event.version === '2.0';
  const headers = {};
  for (const [name, value] of Object.entries(event.headers ?? {})) {
    headers[name.toLowerCase()] = value;
  }
  const pairs = event.cookies ?? (headers.cookie ?? '').split('; ');
  const cookies = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at > 0) cookies[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return {
    method: second ? event.requestContext.http.method : event.httpMethod,
    path: (second ? withoutStage(event) : event.path) || '/',
    query: event.queryStringParameters ?? {},
    headers,
    cookies,
    body: Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
  };
}

// 2.0 leaves the stage in the path.
function withoutStage(event) {
  const { stage = '$default' } = event.requestContext;
  const prefix = `/${stage}`;
  const isPrefixed = stage !== '$default' && event.rawPath.startsWith(prefix);
  return isPrefixed ? event.rawPath.slice(prefix.length) : event.rawPath;
}

function hello({ query, cookies }) {
  return reply(200, { message: `Hello, ${query.name || cookies.name || 'world'}!` });
}

function add({ body }) {
  try {
    const { numbers } = JSON.parse(body.toString('utf8'));
    if (!numbers.every((number) => typeof number === 'number')) throw new TypeError();
    return reply(200, { sum: numbers.reduce((sum, number) => sum + number, 0) });
  } catch {
    return reply(400, { error: 'send a JSON object such as {"numbers": [1, 2]}' });
  }
}

function showItem(request, item) {
  return reply(200, { item });
}

function size({ body }) {
  return reply(200, { bytes: body.length });
}

function reply(status, value) {
  return {
    statusCode: status,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(value),
    isBase64Encoded: false,
  };
}
