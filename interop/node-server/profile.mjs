// The reference implementation in the profile of the public protocol suites, and of
// `trialogue_socketio::conform::PROFILE` beyond them: what our cases are measured against.
// Prints one ready line, ends with its standard input.
import { createServer } from "node:http";
import { Server as EngineServer } from "engine.io";
import { Server } from "socket.io";

// Pages of any origin may ask, so that the cases about them apply too.
const cors = { origin: "*" };
const timings = { pingInterval: 300, pingTimeout: 200, maxHttpBufferSize: 1e6, cors };
const http = createServer();

const io = new Server(http, timings);
io.on("connection", (socket) => {
  socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args) => args.pop()(...args));
  socket.on("ask", async (...args) => {
    try {
      socket.emit("answered", await socket.timeout(2000).emitWithAck("question", ...args));
    } catch {
      socket.emit("unanswered");
    }
  });
  socket.on("join", (room, ack) => (socket.join(room), ack(true)));
  socket.on("leave", (room, ack) => (socket.leave(room), ack(true)));
  socket.on("to-room", (room, value) => io.to(room).emit("room", value));
  socket.on("volatile", (...args) => socket.volatile.emit("volatile-back", ...args));
  socket.on("kick", () => socket.disconnect());
  socket.on("to-room-except", (room, value) => socket.to(room).emit("room", value));
});
const lobby = io.of("/lobby");
lobby.on("connection", (socket) => socket.on("to-all", (value) => lobby.emit("all", value)));
io.of("/guarded").use((socket, next) =>
  next(Object.assign(new Error("not you"), { data: { code: "guarded" } })),
);
io.of("/custom").on("connection", (socket) => socket.emit("auth", socket.handshake.auth));

const engine = new EngineServer(timings);
engine.attach(http, { path: "/engine.io/" });
engine.on("connection", (socket) => socket.on("message", (message) => socket.send(message)));

http.listen(0, "127.0.0.1", () => {
  const { port } = http.address();
  console.log(JSON.stringify({ type: "ready", url: `http://127.0.0.1:${port}` }));
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
