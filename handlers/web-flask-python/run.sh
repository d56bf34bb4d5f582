#!/bin/sh
exec python3 -m flask run --host 127.0.0.1 --port "$AWS_LWA_PORT"
