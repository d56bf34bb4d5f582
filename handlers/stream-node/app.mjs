// Streams {"pieces":N}: N lines, each when it is made; behind an HTTP response's status and headers
// where {"http":true} asks for that. {"error":"text"} fails behind the lines.
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const out = event.http
    ? awslambda.HttpResponseStream.from(stream, {
        statusCode: 201,
        headers: { "Content-Type": "text/plain", "X-Pieces": String(event.pieces) },
        cookies: ["language=en"],
      })
    : stream;
  if (!event.http) out.setContentType("text/plain");
  for (let piece = 0; piece < event.pieces; ++piece) {
    // A write that does not fit waits until what came before it is taken.
    if (!out.write(`piece ${piece}\n`)) await new Promise((taken) => out.once("drain", taken));
  }
  if (event.error) throw new Error(event.error);
  out.end();
});
