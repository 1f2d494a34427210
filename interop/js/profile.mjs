// The stock socket.io-client against our bare protocol server (`examples/conformance`): what the
// chat never asks of it. Attachments both ways, acknowledgements both ways, two namespaces on one
// connection, order across the upgrade. It must never import anything of ours.
//
// TRIALOGUE_PROFILE_URL  that server, such as http://127.0.0.1:3000
//
// Exit code 0: all acts held. 1: one did not, and the last line says which.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Manager } from "socket.io-client";

const BASE = process.env.TRIALOGUE_PROFILE_URL;
/** How long any one answer may take, in milliseconds: a loaded machine, never a hanging one. */
const WAIT_MS = 15_000;
/** Messages that are under way while the transport changes. */
const MANY = 1_000;
/** The profile's ping interval is 300 ms: a client that lives this long has answered several. */
const SEVERAL_PINGS_MS = 1_500;

const TRANSPORTS = [
  { name: "websocket", transports: ["websocket"], arrives: "websocket" },
  { name: "polling", transports: ["polling"], arrives: "polling" },
  { name: "polling, upgraded", transports: ["polling", "websocket"], arrives: "websocket" },
];

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected ${what} within ${WAIT_MS} ms`)), WAIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the next event of that name; ask before whatever makes it come. */
function next(socket, name) {
  return within(new Promise((resolve) => socket.once(name, (...args) => resolve(args))), name);
}

/** Connects a socket of that namespace, up to the event that the server greets with. */
async function connected(manager, namespace, auth) {
  // A manager keeps the socket of a namespace, with the auth that it had.
  const socket = Object.assign(manager.socket(namespace), { auth });
  const failed = new Promise((_, reject) => socket.once("connect_error", reject));
  const greeted = next(socket, "auth");
  socket.connect();
  const [came] = await Promise.race([greeted, failed]);
  assert.deepEqual(came, auth);
  return socket;
}

async function acksBothWays({ socket }) {
  const answer = await socket.timeout(WAIT_MS).emitWithAck("message-with-ack", { n: [1, null] });
  assert.deepEqual(answer, { n: [1, null] });

  socket.once("question", (text, answer) => answer({ heard: text }));
  const answered = next(socket, "answered");
  socket.emit("ask", "how are you? عند الباب 👋");
  assert.deepEqual(await answered, [{ heard: "how are you? عند الباب 👋" }]);
}

async function binaryBothWays({ socket }) {
  const small = Buffer.from([0, 1, 0x1e, 0xff]);
  const large = randomBytes(100_000);
  const sent = [{ small, deep: [{ large }] }, "between", small];
  const back = next(socket, "message-back");
  socket.emit("message", ...sent);
  assert.deepEqual(await back, sent);

  const acked = await socket.timeout(WAIT_MS).emitWithAck("message-with-ack", large);
  assert.deepEqual(acked, large);

  // A question with an attachment, answered with another.
  socket.once("question", (bytes, answer) => answer(Buffer.concat([bytes, bytes])));
  const answered = next(socket, "answered");
  socket.emit("ask", small);
  assert.deepEqual(await answered, [Buffer.concat([small, small])]);
}

async function twoNamespaces({ manager, socket }) {
  const custom = await connected(manager, "/custom", { second: true });
  assert.notEqual(custom.id, socket.id);
  custom.disconnect();
  const back = next(socket, "message-back");
  socket.emit("message", "still here");
  assert.deepEqual(await back, ["still here"]);
  // And again, on the same connection.
  const again = await connected(manager, "/custom", { third: true });
  again.disconnect();

  const nowhere = manager.socket("/nowhere");
  const refused = within(new Promise((resolve) => nowhere.once("connect_error", resolve)), "refusal");
  nowhere.connect();
  assert.equal((await refused).message, "Invalid namespace");
  nowhere.disconnect();
}

async function pingsAreAnswered({ socket }) {
  const { id } = socket;
  await new Promise((resolve) => setTimeout(resolve, SEVERAL_PINGS_MS));
  assert.equal(socket.id, id);
  assert.ok(socket.connected);
}

/** From the first moment on, so that the upgrade happens in between, if there is one. */
async function orderFromTheFirstMomentOn({ socket, manager, arrives }) {
  const came = [];
  const all = within(
    new Promise((resolve) => {
      socket.on("message-back", (number) => came.push(number) === MANY && resolve());
    }),
    `${MANY} events`,
  );
  for (let number = 0; number < MANY; number += 1) socket.emit("message", number);
  await all;
  socket.off("message-back");
  assert.deepEqual(came, Array.from({ length: MANY }, (_, number) => number));

  const { engine } = manager;
  if (engine.transport.name !== arrives) {
    await within(new Promise((resolve) => engine.once("upgrade", resolve)), "an upgrade");
  }
  assert.equal(engine.transport.name, arrives);
}

async function main() {
  if (!BASE) throw new Error("TRIALOGUE_PROFILE_URL is not set");
  const acts = [
    ["order from the first moment on", orderFromTheFirstMomentOn],
    ["acknowledgements both ways", acksBothWays],
    ["attachments both ways", binaryBothWays],
    ["two namespaces on one connection", twoNamespaces],
    ["pings are answered", pingsAreAnswered],
  ];
  for (const { name, transports, arrives } of TRANSPORTS) {
    const manager = new Manager(BASE, { transports, reconnection: false, autoConnect: false });
    try {
      const socket = await connected(manager, "/", { token: "123" });
      for (const [title, play] of acts) {
        const start = performance.now();
        try {
          await play({ socket, manager, arrives });
        } catch (error) {
          throw new Error(`${name}: ${title}: ${error.message}`, { cause: error });
        }
        console.log(`ok  ${name}: ${title} (${Math.round(performance.now() - start)} ms)`);
      }
    } finally {
      manager._close();
    }
  }
}

main().catch((error) => {
  console.error(`FAILED  ${error.message}`);
  process.exitCode = 1;
});
