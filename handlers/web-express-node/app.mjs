// An ordinary application of Express; it knows nothing of Lambda.
import express from "express";

const app = express();
app.use(express.json());

app.get("/", (request, response) => response.send("ready"));

app.post("/orders/:id", (request, response) => {
  response.status(201).set("X-Framework", "express");
  response.json({ id: request.params.id, colour: request.query.colour, order: request.body });
});

// As many pieces of one mebibyte as are asked for, each sent when it is made.
app.get("/stream/:pieces", async (request, response) => {
  response.type("text/plain");
  for (let at = 0; at < Number(request.params.pieces); at++) {
    if (!response.write("x".repeat(1 << 20))) {
      await new Promise((drained) => response.once("drain", drained));
    }
  }
  response.end("end");
});

app.listen(Number(process.env.AWS_LWA_PORT ?? 8000), "127.0.0.1");
