"""The published Python wrapper of the C library (openiap-edge 0.0.40) behind the runner's protocol.

One JSON request per line on standard input, one line "#= JSON" per answer. The working folder must
lie below one that holds target/release/libopeniap_clib.so: that is where the package looks.
"""
import json
import sys

from openiap import Client

client = Client()


def text(value):
    """The wrapper passes texts through; what is no text yet becomes JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def connect(url):
    client.connect(url)
    return True


def signin(username, password):
    return {"token": client.signin(username, password)["jwt"]}


def query(collection, query, projection="", orderby="", top=0, skip=0):
    return json.loads(client.query(collection, text(query), text(projection), text(orderby), skip=skip, top=top))


CALLS = {
    "connect": connect,
    "signin": signin,
    "insertone": lambda collection, item: json.loads(client.insert_one(collection, text(item))),
    "insertmany": lambda collection, items: json.loads(client.insert_many(collection, text(items))),
    "query": query,
    "updateone": lambda collection, item: json.loads(client.update_one(collection, text(item))),
    "count": lambda collection, query: client.count(collection, text(query)),
    "deleteone": lambda collection, id: client.delete_one(collection, id),
    "deletemany": lambda collection, query: client.delete_many(collection, text(query)),
}

for line in sys.stdin:
    request = json.loads(line)
    name = request.pop("do")
    try:
        answer = {"ok": CALLS[name](**request)}
    except Exception as error:  # whatever the client raises is its answer
        answer = {"error": str(error) or repr(error)}
    print("#= " + json.dumps(answer), flush=True)
