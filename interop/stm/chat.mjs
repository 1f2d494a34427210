// `trialogue chat` at a stand-in for the deployed backend, as customer and as provider, each at a
// terminal of tmux: they see each other type, and what one says the other reads.
//
// node chat.mjs URL FOLDER, with TRIALOGUE_BIN. Where there is no tmux it says so and does nothing.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const [url, folder] = process.argv.slice(2);
const PASSWORD = "demo-password";
/** Longest wait for anything on a screen, in ms. */
const SOON = 30_000;

if (spawnSync("tmux", ["-V"]).error) {
  console.log("SKIPPED chat: there is no tmux on this machine");
  process.exit(0);
}
mkdirSync(folder, { recursive: true });
const env = {
  ...process.env, TRIALOGUE_DATA_DIR: folder, TRIALOGUE_SERVER: url, TRIALOGUE_PASSWORD: PASSWORD, TZ: "UTC",
  XDG_CONFIG_HOME: folder, LANG: "C.UTF-8",
};
delete env.TMUX;
const tmux = (...args) =>
  spawnSync("tmux", ["-S", `${folder}/tmux`, "-f", "/dev/null", ...args], { env, encoding: "utf8" }).stdout;
const screen = (who) => tmux("capture-pane", "-p", "-t", who);
const press = (who, ...keys) => tmux("send-keys", "-t", who, ...keys);
const type = (who, text) => tmux("send-keys", "-t", who, "-l", text);

async function shows(who, pattern) {
  for (const end = Date.now() + SOON; !pattern.test(screen(who)); await pause(50)) {
    assert.ok(Date.now() < end, `${who}: no ${pattern} in\n${screen(who)}`);
  }
}

function verb(who, ...args) {
  const ran = spawnSync(process.env.TRIALOGUE_BIN, ["--profile", who, "--no-input", ...args], { env, encoding: "utf8" });
  assert.equal(ran.status, 0, `${args}: ${ran.stderr}`);
}

async function call(method, path, token, body) {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}
const token = async (email) => (await call("POST", "/auth/login", "", { email, password: PASSWORD })).accessToken;

const register = (who, role, last, ...more) =>
  verb(who, "--dialect", "stm", "register", `${who}@chat.test`, "--role", role, "--first-name",
    who[0].toUpperCase() + who.slice(1), "--last-name", last, ...more);
register("lsm", "lsm", "Braun", "--region", "NJ");
register("zara", "provider", "Ito", "--region", "NJ");
register("nora", "customer", "Khan");
// Nobody can book a provider whom no LSM has let in.
const shop = (await call("GET", "/auth/profile", await token("zara@chat.test"))).roleData.id;
await call("POST", `/lsm/providers/${shop}/set-status`, await token("lsm@chat.test"), { status: "active" });

try {
  for (const who of ["nora", "zara"]) {
    const run = `TRIALOGUE_PROFILE=${who} '${process.env.TRIALOGUE_BIN}' chat; exec sleep 60`;
    tmux("new-session", "-d", "-s", who, "-x", "80", "-y", "24", "sh", "-c", run);
  }
  await shows("nora", /Connected · nora \(customer\)/);
  await shows("zara", /Connected · zara \(provider\)/);
  press("nora", "F2");
  await shows("nora", /Provider {2}\[ \S/);
  // The stand-in may know others: letters find.
  type("nora", "Zara");
  await shows("nora", /\[ Zara Ito/);
  press("nora", "Tab");
  type("nora", "Leaky sink");
  press("nora", "C-s");
  await shows("nora", /Job \d+ booked/);
  await shows("zara", /job \d+ · Nora/);
  type("nora", "Can you come today?");
  await shows("zara", /Nora is typing/);
  press("nora", "Enter");
  await shows("zara", /Can you come today\?/);
  await shows("nora", /✓/);
  type("zara", "Yes, at four.");
  press("zara", "Enter");
  await shows("nora", /Yes, at four\./);
  press("zara", "C-q");
  press("nora", "C-q");
  console.log("ok      chat, as customer and as provider: booked by a form, typing, said and read");
} finally {
  tmux("kill-server");
}
