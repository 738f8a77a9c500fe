"""The published pure Python client (openiap 0.0.37) behind the runner's protocol.

One JSON request per line on standard input, one line "#= JSON" per answer.
"""
import asyncio
import json
import sys

from openiap import Client
from openiap.protowrap import protowrap
from proto import base_pb2, querys_pb2

client = None


async def connect(url):
    global client
    client = Client(url)
    while not client.connected and client.scheme == "grpc":
        await asyncio.sleep(0.05)
    return True


async def signin(username, password):
    user = await client.Signin(username, password)
    return {"token": client.jwt, "username": user.username}


async def query(collection, query, projection=None, orderby=None, top=100, skip=0):
    if isinstance(query, str):
        # Client.Query makes valid JSON of whatever it is given; this is the call one layer below.
        request = base_pb2.Envelope(command="query")
        request.data.Pack(querys_pb2.QueryRequest(collectionname=collection, query=query))
        return json.loads((await protowrap.RPC(client, request)).results)
    return await client.Query(collection, query, projection or {}, top, skip, orderby)


CALLS = {
    "connect": connect,
    "signin": signin,
    "insertone": lambda collection, item: client.InsertOne(item, collection),
    "insertmany": lambda collection, items: client.InsertMany(items, collection),
    "query": query,
    "updateone": lambda collection, item: client.UpdateOne(item, collection),
    "count": lambda collection, query: client.Count(query, collection),
    "deleteone": lambda collection, id: client.DeleteOne(id, collection),
    "deletemany": lambda collection, query: client.DeleteMany(query, collection),
}


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        name = request.pop("do")
        try:
            answer = {"ok": await CALLS[name](**request)}
        except Exception as error:  # whatever the client raises is its answer
            answer = {"error": str(error) or repr(error)}
        print("#= " + json.dumps(answer), flush=True)


asyncio.run(main())
