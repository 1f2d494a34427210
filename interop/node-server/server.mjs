// The stock Socket.IO server with a few events that a client can be tried on.
// Prints one ready line, ends with its standard input.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
// The pings are frequent, so that every check lives through several.
const io = new Server(http, { pingInterval: 200, pingTimeout: 2000, maxHttpBufferSize: 1e6 });

io.on("connection", (socket) => {
  const numbers = { received: 0, misplaced: 0 };

  socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args) => args.pop()(...args));
  socket.on("never", () => {});
  socket.on("ask", async (...args) => {
    const reply = await socket.timeout(5000).emitWithAck("question", ...args);
    socket.emit("answered", reply);
  });
  socket.on("count", (total) => {
    for (let number = 0; number < total; number += 1) socket.emit("number", number);
  });
  socket.on("number", (number) => {
    if (number !== numbers.received) numbers.misplaced += 1;
    numbers.received += 1;
  });
  socket.on("numbers", (ack) => ack(numbers, socket.conn.transport.name));
  socket.on("kick", () => socket.disconnect());
  socket.on("hang-up", () => socket.conn.close());
  socket.on("pings-stop", () => {
    clearTimeout(socket.conn.pingIntervalTimer);
    socket.conn.sendPacket = () => {};
  });
});

const guarded = io.of("/guarded");
guarded.use((socket, next) => {
  if (socket.handshake.auth.token === "123") return next();
  const error = new Error("not for you");
  error.data = { code: "denied" };
  return next(error);
});
guarded.on("connection", (socket) => socket.emit("auth", socket.handshake.auth));

http.listen(0, "127.0.0.1", () => {
  const { port } = http.address();
  console.log(JSON.stringify({ type: "ready", url: `http://127.0.0.1:${port}` }));
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
