"""Makes boto3 calls for the suite over HTTP: one JSON object a line in, one a line out.

in:  {"endpoint": url, "keys": [id, secret, session token or null], "calls": [{"service", "operation" (snake case), "region", "params"}]}
out: {"answers": [{"ok": {…}} | {"error": {"code", "status", "message"}}]}
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(
    s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30
)
clients = {}


def client(endpoint, keys, service, region):
    key = (endpoint, keys[0], service, region)
    if key not in clients:
        session = boto3.Session(*keys, region_name=region)
        clients[key] = session.client(service, endpoint_url=endpoint, config=config)
    return clients[key]


def answer(endpoint, keys, call):
    try:
        operation = getattr(client(endpoint, keys, call["service"], call["region"]), call["operation"])
        ok = operation(**call["params"])
    except ClientError as error:
        said = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return {"error": {"code": said.get("Code"), "status": status, "message": said.get("Message")}}
    except Exception as error:  # parameters that boto3 refuses, connections that break
        return {"error": {"code": type(error).__name__, "status": None, "message": str(error)}}
    ok.pop("ResponseMetadata", None)
    return {"ok": ok}


def text(value):
    """What JSON has no form for: an object's body, a time."""
    return value.read().decode() if hasattr(value, "read") else str(value)


for line in sys.stdin:
    request = json.loads(line)
    answers = [answer(request["endpoint"], request["keys"], call) for call in request["calls"]]
    print(json.dumps({"answers": answers}, default=text), flush=True)
