"""Keeps one server for the suite over HTTP: prints its address, and ends it when standard input ends.

    serve.py moto                  moto_server, in this process
    serve.py moto-with-iam         the same, which looks at IAM policies; behind the address stand, as JSON, the keys of
                                   a `writer`, who may everything, and of a `reader`, who may read
    serve.py command ARGUMENT…     a command that prints its address as its first line; it runs in a folder of its own

Standard input ends with the process that holds its other end, however that process ends: no server is left behind.
"""

import json
import os
import subprocess
import sys
import tempfile

# HeadBucket needs s3:ListBucket; moto asks for an action that AWS does not have.
READ = ["s3:Get*", "s3:List*", "s3:HeadBucket", "kms:Describe*", "kms:Get*", "kms:List*", "sts:GetCallerIdentity"]


def moto(with_iam):
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = json.dumps(users(address)) if with_iam else ""
    print(address, keys, flush=True)
    # What moto has not implemented it answers with 500 and a traceback on standard error; here that is no news.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    sys.stdin.read()


def users(address):
    """Makes both users, then switches on what moto leaves off: that rights count."""
    import boto3
    import moto.settings

    iam = boto3.client("iam", endpoint_url=address, region_name="us-east-1")
    keys = {}
    for name, actions in [("writer", ["*"]), ("reader", READ)]:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = [key["AccessKeyId"], key["SecretAccessKey"]]
    moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    return keys


def command(arguments):
    with tempfile.TemporaryDirectory(prefix="byob-suite-") as folder:
        child = subprocess.Popen(
            arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        try:
            print(child.stdout.readline().strip(), flush=True)
            sys.stdin.read()
        finally:
            child.kill()
            child.wait()


if sys.argv[1] in ("moto", "moto-with-iam"):
    moto(with_iam=sys.argv[1] == "moto-with-iam")
else:
    command(sys.argv[1:])
sys.stdout.flush()
os._exit(0)
