// The chat as the stock Socket.IO server on node would have it: no accounts and no storage. A target
// for load. Prints one ready line, ends with its standard input.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { maxHttpBufferSize: 1e6 });
const places = new Map();
let users = 0;

io.of("/chat").on("connection", (socket) => {
  const userId = (users += 1);
  socket.emit("connected", { message: `Connected: userId=${userId}`, userId });
  socket.on("join_chat", ({ chatId }, ack) => {
    socket.join(chatId);
    socket.emit("joined_chat", { chatId, message: "Joined the chat" });
    ack?.({ ok: true });
  });
  socket.on("send_message", ({ chatId, message }, ack) => {
    const seq = (places.get(chatId) ?? 0) + 1;
    places.set(chatId, seq);
    const created_at = new Date().toISOString();
    ack?.({ ok: true, status: "stored" });
    io.of("/chat").to(chatId).emit("new_message", {
      id: randomUUID(), chatId, seq, sender_type: "customer", sender_id: userId,
      sender_name: "Load Test", message, message_type: "text", created_at,
    });
  });
});

http.listen(0, "127.0.0.1", () => {
  const { port } = http.address();
  console.log(JSON.stringify({ type: "ready", url: `http://127.0.0.1:${port}` }));
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
