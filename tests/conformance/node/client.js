// The published Node client behind the runner's protocol: one JSON request per line on
// standard input, one line "#= JSON" per answer. Calls only what the package exports.
"use strict";
const readline = require("readline");
const { openiap } = require("@openiap/nodeapi");

// For socket:// the package dials twice, first a host name that has the port in it, and has no
// error listener on that first attempt; a program that uses it must survive the failed look-up.
process.on("uncaughtException", (error) => {
  if (error.syscall !== "getaddrinfo") {
    console.error(error);
    process.exit(70);
  }
});

let client = null;
const calls = {
  async connect({ url }) {
    client = new openiap(url);
    await client.connect();
    return true;
  },
  async signin({ username, password }) {
    const reply = await client.Signin({ username, password });
    return { token: reply.jwt, username: reply.user.username };
  },
  insertone: ({ collection, item }) => client.InsertOne({ collectionname: collection, item }),
  insertmany: ({ collection, items }) => client.InsertMany({ collectionname: collection, items, skipresults: false }),
  query: ({ collection, ...rest }) => client.Query({ collectionname: collection, ...rest }),
  updateone: ({ collection, item }) => client.UpdateOne({ collectionname: collection, item }),
  count: ({ collection, query }) => client.Count({ collectionname: collection, query }),
  deleteone: ({ collection, id }) => client.DeleteOne({ collectionname: collection, id }),
  deletemany: ({ collection, query }) => client.DeleteMany({ collectionname: collection, query }),
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: name, ...args } = JSON.parse(line);
    let answer;
    try {
      answer = { ok: await calls[name](args) };
    } catch (error) {
      answer = { error: String((error && error.message) || error) };
    }
    process.stdout.write("#= " + JSON.stringify(answer) + "\n");
  }
  process.exit(0);
}

main();
