// The verbs of our binary at a stand-in for the deployed backend: what it cannot do is said, what it
// says otherwise is understood.
//
// node verbs.mjs URL FOLDER, with TRIALOGUE_BIN

import assert from "node:assert/strict";
import { spawn } from "node:child_process";

const [url, folder] = process.argv.slice(2);
const PASSWORD = "demo-password";
/** Longest wait for anything: notices that are not pushed are polled once a minute. */
const SOON = "90s";

/** Starts a verb of somebody. */
function start(who, ...args) {
  const env = {
    ...process.env, TRIALOGUE_DATA_DIR: folder, TRIALOGUE_SERVER: url, TRIALOGUE_PASSWORD: PASSWORD,
    NO_COLOR: "1", TZ: "UTC",
  };
  const child = spawn(process.env.TRIALOGUE_BIN, ["--profile", who, "--no-input", ...args], { env });
  const ran = { args, stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (bytes) => (ran[name] += bytes));
  ran.end = new Promise((done) => child.on("close", (code) => done(Object.assign(ran, { code }))));
  /** Waits until it has said something. */
  ran.said = async (name, pattern) => {
    while (!pattern.test(ran[name])) {
      await Promise.race([
        new Promise((done) => child[name].once("data", done)),
        ran.end.then(() => assert.match(ran[name], pattern, JSON.stringify(ran))),
      ]);
    }
  };
  return ran;
}

/** Runs it; its code must be that. */
async function run(code, who, ...args) {
  const ran = await start(who, ...args).end;
  assert.equal(ran.code, code, JSON.stringify(ran));
  return ran;
}

async function call(method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}
const quirks = (body) => call("POST", "/stand-in/quirks", body);
const token = async (who) =>
  (await call("POST", "/auth/login", { email: `${who}@example.test`, password: PASSWORD })).accessToken;
const say = (words) => console.log(`ok      ${words}`);

const person = (who, role, last, ...more) =>
  run(0, who, "--dialect", "stm", "register", `${who}@example.test`, "--role", role, "--first-name",
    who[0].toUpperCase() + who.slice(1), "--last-name", last, ...more);

await person("lena", "lsm", "Braun", "--region", "NY");
// A shop needs a trade and ZIP codes, which our own registration does not know.
const shop = await call("POST", "/auth/register", {
  email: "ravi@example.test", password: PASSWORD, firstName: "Ravi", lastName: "Kumar", role: "PROVIDER",
  phoneNumber: "555-555-0101", state: "NY", zipCodes: ["10001"], serviceType: "Plumbing",
});
const profile = (await call("GET", "/auth/profile", undefined, shop.accessToken)).roleData.id;
await call("POST", `/lsm/providers/${profile}/set-status`, { status: "active" }, await token("lena"));
await run(0, "ravi", "--dialect", "stm", "login", "ravi@example.test");
await person("paul", "provider", "Ito", "--region", "NY");
await person("amna", "customer", "Khan");
say("register and login; a provider needs a region and no area");

let ran = await run(2, "stranger", "login", "amna@example.test");
assert.match(ran.stderr, /this server answers like stm, not like trialogue: try --dialect stm/);
ran = await run(4, "amna", "--dialect", "trialogue", "chats");
assert.match(ran.stderr, /answers like stm/);
say("the wrong dialect is called by its name");

// From before there is a chat until the end: a new one is entered, what is only polled is told.
const provider = start("ravi", "listen", "--event", "new_message", "--count", "3", "--for", SOON);
const polled = start("lena", "listen", "--event", "notification:created", "--count", "1", "--for", SOON);
const pushed = start("ravi", "listen", "--event", "notification:created", "--count", "1", "--for", SOON);
await Promise.all([provider, polled, pushed].map((one) => one.said("stderr", /connected/)));
ran = await run(0, "amna", "--json", "book", "--provider", String(profile), "--title", "sink");
const { chatId: chat, jobId: job } = JSON.parse(ran.stdout);
await provider.said("stdout", /Request:/);
await run(0, "amna", "send", chat, "hello");
await run(0, "amna", "send", chat, "x".repeat(5000));
assert.equal((await provider.end).code, 0, JSON.stringify(provider));
assert.match(provider.stdout, /Amna Khan: hello/);
assert.match((await pushed.end).stdout, /New job request: You have a new job request/);
say("listen enters a new chat, though its notice does not name it; long texts are sent");

ran = await run(0, "ravi", "chats");
assert.match(ran.stdout, /\d\d:\d\d Amna Khan: xxx/, "who said the last word");
ran = await run(0, "ravi", "read", chat);
assert.match(ran.stderr, /this server does not confirm it/);
assert.match((await run(4, "ravi", "read", chat, "--upto", "1")).stderr, /numbers no messages/);
assert.match((await run(4, "ravi", "listen", chat, "--since", "1")).stderr, /numbers no messages/);
ran = await run(0, "ravi", "listen", chat, "--since", "0", "--count", "2", "--event", "new_message", "--for", SOON);
assert.match(ran.stdout, /Request:[^\n]*\n[^\n]*hello/);
say("read and listen say what such a server cannot do");

const steps = [
  ["ravi", `/provider/jobs/${job}/respond`, { action: "accept" }],
  ["amna", `/customers/jobs/${job}/action`, { action: "close_deal" }],
  ["ravi", `/provider/jobs/${job}/update-status`, { action: "mark_complete" }],
];
for (const [who, path, body] of steps) await call("POST", path, body, await token(who));
assert.match((await run(0, "amna", "dispute", chat, "it drips")).stderr, /the local service manager is invited/);
await run(0, "amna", "dispute", chat, "it drips on");
await quirks({ brokenDetails: 1 });
ran = await run(0, "lena", "invites");
assert.match(ran.stdout, new RegExp(chat));
assert.match(ran.stderr, /dispute \d+ is left out: /);
await run(0, "lena", "join", chat);
ran = await run(0, "lena", "members", chat);
assert.match(ran.stdout, /Lena Braun +lsm/);
assert.match(ran.stdout, /- +Amna Khan +customer/, "a name, and no id");
say("a dispute without the LSM's name, an invitation that cannot be read, members of an LSM");

const { last } = await call("POST", "/stand-in/jobs", { chatId: chat, count: 120 });
assert.match((await run(0, "ravi", "jobs", "show", String(last))).stdout, new RegExp(`job +${last}`));
say("a job on the last page");

await polled.end;
assert.equal(polled.code, 0, JSON.stringify(polled));
assert.match(polled.stdout, /New dispute: Dispute for job/);
say("a notice that is only polled");

// Every bundled scenario: what holds holds, the rest is counted and said, and nothing is blamed.
const bundled = (await run(0, "amna", "run", "--list")).stdout.trim().split("\n")
  .map((line) => line.split(" ")[0]);
assert.ok(bundled.length > 15, String(bundled));
const plays = (code, names, ...more) =>
  run(code, "amna", "run", ...names, "--target", url, "--dialect", "stm", ...more);
ran = await plays(0, bundled);
const summary = /(\d+) scenarios: (\d+) ok, (\d+) not played, \d+ steps or checks unimplemented/.exec(ran.stdout);
assert.ok(summary, ran.stdout);
const [all, held, not] = summary.slice(1).map(Number);
assert.deepEqual([all, held + not], [bundled.length, bundled.length], ran.stdout);
assert.match(ran.stderr, /it pushes no notice of disputes \(dispute_push\)/);
assert.match(ran.stderr, /no GET \/chat there/);
for (const name of [
  "booking", "dispute-join", "stranger-isolation", "notification-for-absent", "rapid-typing", "burst",
  "half-open-line", "two-devices",
]) {
  const held = Number(new RegExp(`^ok +${name} \\((\\d+) of`, "m").exec(ran.stdout)?.[1]);
  assert.ok(held > 10, `${name} is played, not left out: ${ran.stdout}`);
}
ran = await plays(1, ["stranger-isolation"], "--strict");
assert.match(ran.stderr, /exit 1: 1 of 1 scenario did not hold/);
say("every bundled scenario holds as far as such a server goes, what it cannot do is counted");

// What is truly wrong is found all the same.
await quirks({ silently: 1 });
ran = await plays(1, ["rapid-typing"]);
assert.match(ran.stderr, /exit 1: 1 of 1 scenario did not hold \(rapid-typing: m1\)/);
await quirks({ silently: 0, double: true });
ran = await plays(1, ["rapid-typing"]);
assert.match(ran.stderr, /duplicate: .*came to customer twice/);
assert.match(ran.stderr, /exit 1: 1 of 1 scenario did not hold \(rapid-typing: delivery\)/);
await quirks({ double: false });
say("a message that is lost and one that comes twice are found");

ran = await run(0, "amna", "preflight", "--target", url, "--dialect", "stm", "--only", "acks,own_echo");
assert.match(ran.stdout, /acks +profile: no +seen: no\nown_echo +profile: no +seen: no/);
say("preflight sees what the profile says");
