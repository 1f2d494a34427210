// The stock socket.io-client plays the flow as any web page would: it knows {chatId, message} and
// nothing of our additions. It must never import anything of ours.
//
// TRIALOGUE_URL      the server, such as http://127.0.0.1:4000
// TRIALOGUE_RESTART  a program that kills that server and starts it again at the same address;
//                    without it the last act is left out, and that is said
//
// Exit code 0: all acts held. 1: one did not, and the last line says which.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { io } from "socket.io-client";

const BASE = process.env.TRIALOGUE_URL;
const RESTART = process.env.TRIALOGUE_RESTART;
/** How long any one answer may take, in milliseconds: a loaded machine, never a hanging one. */
const WAIT_MS = 15_000;
/** From a killed server to a client that is back: database, start and the client's own delay. */
const RECOVERY_MS = 60_000;

const TRANSPORTS = [
  { name: "websocket", transports: ["websocket"], arrives: "websocket" },
  { name: "polling", transports: ["polling"], arrives: "polling" },
  { name: "polling, upgraded", transports: ["polling", "websocket"], arrives: "websocket" },
];

const sockets = new Set();

function expect(holds, what, saw) {
  if (holds) return;
  throw new Error(`expected ${what}, got ${JSON.stringify(saw)}`);
}

async function rest(method, path, { token, body, status = 200 } = {}) {
  const response = await fetch(BASE + path, {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { "content-type": "application/json" }),
    },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(WAIT_MS),
  });
  const text = await response.text();
  expect(response.status === status, `${method} ${path} -> ${status}`, [response.status, text]);
  return text ? JSON.parse(text) : undefined;
}

async function newcomer(role, firstName) {
  const email = `${firstName.toLowerCase()}-${randomUUID()}@example.test`;
  const password = randomUUID();
  const lastName = "Peer";
  await rest("POST", "/auth/register", {
    body: { email, password, firstName, lastName, role },
    status: 201,
  });
  // Logging in as well: a page that comes back has no token from registering.
  const { user, accessToken } = await rest("POST", "/auth/login", { body: { email, password } });
  expect(Number.isInteger(user.id), "a numeric user id", user);
  return { id: user.id, name: `${firstName} ${lastName}`, token: accessToken };
}

/** A socket that remembers every event, so that none is missed between two waits. */
function open(person, transports, options = {}) {
  const socket = io(`${BASE}/chat`, {
    auth: { token: person.token },
    transports,
    forceNew: true,
    reconnectionDelay: 200,
    ...options,
  });
  const seen = [];
  const waiting = new Set();
  const arrived = (name, body) => {
    seen.push({ name, body });
    for (const look of waiting) look();
  };
  socket.onAny(arrived);
  for (const own of ["connect", "disconnect", "connect_error"]) {
    const plain = (body) => (body instanceof Error ? { ...body, message: body.message } : body);
    socket.on(own, (body) => arrived(own, plain(body)));
  }
  sockets.add(socket);

  /** Takes the first event of that name which satisfies `test` out of what has arrived. */
  const next = (name, test = () => true, within = WAIT_MS) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const at = seen.findIndex((event) => event.name === name && test(event.body));
        if (at < 0) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve(seen.splice(at, 1)[0].body);
      };
      const timer = setTimeout(() => {
        waiting.delete(look);
        const names = seen.map((event) => event.name).join(", ") || "nothing";
        reject(new Error(`expected ${name} within ${within} ms, got ${names}`));
      }, within);
      waiting.add(look);
      look();
    });
  const count = (name, test) => seen.filter((event) => event.name === name && test(event.body)).length;
  return { socket, next, count, person };
}

function close(peer) {
  sockets.delete(peer.socket);
  peer.socket.disconnect();
}

async function ready(peer, arrives) {
  const connected = await peer.next("connected");
  const expected = `Connected: userId=${peer.person.id}`;
  expect(connected.message === expected, expected, connected);
  const engine = peer.socket.io.engine;
  if (engine.transport.name === arrives) return;
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`expected an upgrade to ${arrives}`)), WAIT_MS);
    engine.once("upgrade", (transport) => {
      clearTimeout(late);
      if (transport.name === arrives) resolve();
      else reject(new Error(`expected an upgrade to ${arrives}, got ${transport.name}`));
    });
  });
}

async function join(peer, chatId) {
  peer.socket.emit("join_chat", { chatId });
  await peer.next("joined_chat", (body) => body.chatId === chatId);
}

/** Says something in the plain way and sees it, once, at every peer. */
async function say(from, peers, chatId, message) {
  from.socket.emit("send_message", { chatId, message });
  const ids = new Set();
  for (const peer of peers) {
    const heard = await peer.next("new_message", (body) => body.message === message);
    const own = {
      chatId: heard.chatId,
      sender_id: heard.sender_id,
      sender_name: heard.sender_name,
      message_type: heard.message_type,
    };
    const expected = {
      chatId,
      sender_id: from.person.id,
      sender_name: from.person.name,
      message_type: "text",
    };
    expect(JSON.stringify(own) === JSON.stringify(expected), JSON.stringify(expected), heard);
    expect(!Number.isNaN(Date.parse(heard.created_at)), "a time", heard.created_at);
    ids.add(heard.id);
  }
  expect(ids.size === 1, "one message id at every peer", [...ids]);
}

async function book(customer, provider) {
  const { jobId, chatId } = await rest("POST", "/jobs/create", {
    token: customer.token,
    body: { providerId: provider.id, title: "Kitchen sink leak" },
    status: 201,
  });
  expect(Number.isInteger(jobId), "a numeric job id", jobId);
  expect(/^[0-9a-f-]{36}$/.test(chatId), "a chat id that is a UUID", chatId);
  return chatId;
}

async function historyIs(person, chatId, texts) {
  const { messages } = await rest("GET", `/chat/${chatId}/messages`, { token: person.token });
  const have = messages.map((row) => row.message);
  expect(JSON.stringify(have) === JSON.stringify(texts), `history ${JSON.stringify(texts)}`, have);
}

async function theFlow({ transports, arrives }, { amna, ravi, stranger }) {
  const chatId = await book(amna, ravi);
  const peers = [amna, ravi, stranger].map((person) => open(person, transports));
  const [customer, provider, outsider] = peers;
  await Promise.all(peers.map((peer) => ready(peer, arrives)));

  await join(customer, chatId);
  await historyIs(amna, chatId, []);
  await join(provider, chatId);
  await customer.next("user_joined", (body) => body.chatId === chatId && body.userId === ravi.id);

  await say(customer, [customer, provider], chatId, "Hi Ravi, can you come today?");
  await say(provider, [customer, provider], chatId, "Yes, at 16:00. عند الباب 👋");
  customer.socket.emit("typing", { chatId, isTyping: true });
  await provider.next("user_typing", (body) => body.userId === amna.id && body.isTyping === true);

  for (const [event, body] of [
    ["join_chat", { chatId }],
    ["send_message", { chatId, message: "let me in" }],
  ]) {
    outsider.socket.emit(event, body);
    const refused = await outsider.next("error");
    expect(refused.code === "denied", `${event} of a stranger to be denied`, refused);
  }
  const texts = ["Hi Ravi, can you come today?", "Yes, at 16:00. عند الباب 👋"];
  await historyIs(ravi, chatId, texts);
  const heard = outsider.count("new_message", () => true);
  expect(heard === 0, "a stranger to hear nothing", heard);

  customer.socket.emit("leave_chat", { chatId });
  await customer.next("left_chat", (body) => body.chatId === chatId);
  await provider.next("user_left", (body) => body.userId === amna.id);
  peers.forEach(close);
}

async function aBadTokenIsRefused({ transports }) {
  const peer = open({ token: "not.a.token" }, transports, { reconnection: false });
  const refused = await peer.next("connect_error");
  expect(refused.data?.code === "unauthenticated", "connect_error unauthenticated", refused);
  close(peer);
}

async function theServerDiesAndComesBack({ transports, arrives }, { amna, ravi }) {
  const chatId = await book(amna, ravi);
  const peers = [amna, ravi].map((person) => open(person, transports));
  const [customer, provider] = peers;
  await Promise.all(peers.map((peer) => ready(peer, arrives)));
  for (const peer of peers) await join(peer, chatId);
  await say(customer, peers, chatId, "before");

  await promisify(execFile)(RESTART, { timeout: RECOVERY_MS });
  for (const peer of peers) {
    await peer.next("disconnect");
    // By itself, with the token it already has.
    const connected = await peer.next("connected", () => true, RECOVERY_MS);
    expect(connected.userId === peer.person.id, "the same user again", connected);
    await join(peer, chatId);
  }
  await say(provider, peers, chatId, "after");
  await historyIs(amna, chatId, ["before", "after"]);
  peers.forEach(close);
}

async function main() {
  if (!BASE) throw new Error("TRIALOGUE_URL is not set");
  const acts = [
    ["the flow, with {chatId, message} only", theFlow],
    ["a bad token is refused", aBadTokenIsRefused],
  ];
  if (RESTART) acts.push(["killed and restarted: back by itself", theServerDiesAndComesBack]);
  else console.log("left out: TRIALOGUE_RESTART is not set, nobody can restart the server");
  // Once for all acts: a server counts registrations and logins per address.
  const people = {
    amna: await newcomer("customer", "Amna"),
    ravi: await newcomer("provider", "Ravi"),
    stranger: await newcomer("customer", "Stranger"),
  };
  for (const transport of TRANSPORTS) {
    for (const [name, play] of acts) {
      const start = performance.now();
      const title = `${transport.name}: ${name}`;
      try {
        await play(transport, people);
      } catch (error) {
        throw new Error(`${title}: ${error.message}`, { cause: error });
      }
      console.log(`ok  ${title} (${Math.round(performance.now() - start)} ms)`);
    }
  }
}

main()
  .catch((error) => {
    console.error(`FAILED  ${error.message}`);
    process.exitCode = 1;
  })
  .finally(() => sockets.forEach((socket) => socket.disconnect()));
