# An ordinary application of Flask; it knows nothing of Lambda.
from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def ready():
    return "ready"


@app.post("/orders/<order>")
def create(order):
    answer = {"id": order, "colour": request.args.get("colour"), "order": request.get_json()}
    return answer, 201, {"X-Framework": "flask"}


# As many pieces of one mebibyte as are asked for, each sent when it is made.
@app.get("/stream/<int:pieces>")
def stream(pieces):
    def body():
        for _ in range(pieces):
            yield "x" * (1 << 20)
        yield "end"

    return Response(body(), mimetype="text/plain")
