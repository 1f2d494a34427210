// An independent driver in the same rooms and at the same time as `trialogue load`: the stock
// client sends messages of its own and measures them at its own sockets, and counts those of the
// other. It must never import anything of ours.
//
// node beside.mjs URL ROOM,ROOM,... RATE SECONDS
//
// Says "ready" when it is in all rooms, begins with the first message that is not its own, and
// prints one line of JSON at the end: milliseconds, and counts.

import { performance } from "node:perf_hooks";
import { io } from "socket.io-client";

const [url, list, rate, seconds] = process.argv.slice(2);
const rooms = list.split(",");
const PADDING = "x".repeat(60);
/** After its last message: what is under way comes. */
const DRAIN_MS = 3_000;
/** Longest wait for a socket, and for the other to begin. */
const WAIT_MS = 60_000;

const late = setTimeout(() => { console.error("nobody began"); process.exit(1); }, WAIT_MS);
const latencies = [];
const others = new Set();
let sent = 0, begun = false;
let first;
const begins = new Promise((done) => (first = done));

function enter(room, listens) {
  const socket = io(`${url}/chat`, { transports: ["websocket"], forceNew: true, auth: { token: "beside" } });
  socket.on("new_message", ({ message }) => {
    const now = performance.now();
    const own = /^beside (\d+) ([\d.]+) /.exec(message);
    if (own) latencies.push(now - Number(own[2]));
    else {
      // One socket of a room counts what the other says there.
      if (listens) others.add(message.slice(0, message.indexOf("\u27e7")));
      first();
    }
  });
  return new Promise((done, fail) => {
    socket.on("connect_error", fail);
    socket.once("joined_chat", () => done(socket));
    socket.on("connect", () => socket.emit("join_chat", { chatId: room }));
  });
}

const speakers = [];
for (const room of rooms) {
  speakers.push(await enter(room, true));
  await enter(room, false);
}
console.log("ready");
await begins;
clearTimeout(late);
begun = performance.now();
const all = Math.floor(Number(rate) * Number(seconds));
while (sent < all) {
  // What is due, at its moment or late; timers here count in milliseconds.
  const due = Math.min(all, Math.floor((performance.now() - begun) * Number(rate) / 1000));
  for (; sent < due; sent += 1) {
    const chatId = rooms[sent % rooms.length];
    const message = `beside ${sent} ${performance.now()} ${PADDING}`;
    speakers[sent % rooms.length].emit("send_message", { chatId, message });
  }
  await new Promise((done) => setTimeout(done, 1));
}
// The other goes on for as long as it likes: it is over when nothing comes any more.
for (let seen = -1; seen !== others.size + latencies.length;) {
  seen = others.size + latencies.length;
  await new Promise((done) => setTimeout(done, DRAIN_MS));
}
latencies.sort((a, b) => a - b);
const at = (part) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))];
console.log(JSON.stringify({ sent, delivered: latencies.length, p50: at(0.5), p99: at(0.99), others: others.size }));
process.exit(0);
