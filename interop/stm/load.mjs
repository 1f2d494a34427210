// `trialogue load` at a stand-in for the deployed backend: text stamps, no acknowledgements, the
// sending socket left out, order reported and not asserted; people who are there already.
//
// node load.mjs URL FOLDER, with TRIALOGUE_BIN; the stand-in's secret is STM_SECRET

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [url, folder] = process.argv.slice(2);
const PASSWORD = "demo-password";
const CUSTOMERS = ["ann", "ben", "cleo", "dan"];
/** Passed, or inconclusive where the machine was busy: then the counts hold all the same. */
const NOT_WRONG = [0, 4];

mkdirSync(folder, { recursive: true });

function run(codes, who, ...args) {
  const env = {
    ...process.env, TRIALOGUE_DATA_DIR: folder, TRIALOGUE_SERVER: url, TRIALOGUE_PASSWORD: PASSWORD,
    NO_COLOR: "1",
  };
  const child = spawn(process.env.TRIALOGUE_BIN, ["--profile", who, "--no-input", ...args], { env });
  const ran = { args, stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (bytes) => (ran[name] += bytes));
  return new Promise((done) => child.on("close", (code) => {
    ran.code = code;
    assert.ok(codes.includes(code), JSON.stringify(ran));
    done(ran);
  }));
}

async function call(method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}
const login = (email) => call("POST", "/auth/login", { email, password: PASSWORD });
const say = (words) => console.log(`ok      ${words}`);

const register = (body) => call("POST", "/auth/register", {
  password: PASSWORD, lastName: "Load", phoneNumber: "555-555-0101", ...body,
});
const manager = await register({
  email: "lea@load.test", firstName: "Lea", role: "LSM", state: "TX", area: "Austin",
});
const shop = await register({
  email: "rob@load.test", firstName: "Rob", role: "PROVIDER", state: "TX", area: "Austin",
  zipCodes: ["73301"], serviceType: "Plumbing",
});
const profile = (await call("GET", "/auth/profile", undefined, shop.accessToken)).roleData.id;
await call("POST", `/lsm/providers/${profile}/set-status`, { status: "active" }, manager.accessToken);
const people = [{ email: "rob@load.test", ...shop.user }];
for (const name of CUSTOMERS) {
  const email = `${name}@load.test`;
  const made = await register({ email, firstName: name, role: "CUSTOMER" });
  await run([0], name, "--dialect", "stm", "login", email);
  await run([0], name, "book", "--provider", String(profile), "--title", "load");
  people.push({ email, ...made.user });
}

const file = (name, lines) => {
  const path = join(folder, name);
  writeFileSync(path, lines.join("\n"));
  return path;
};
const passwords = file("people.csv", ["email,password", ...people.map((one) => `${one.email},${PASSWORD}`)]);
const load = async (codes, ...args) => {
  const ran = await run(codes, "nobody", "load", "--target", url, "--dialect", "stm", "--members", "2",
    "--warm-up", "0s", "--json", ...args);
  return ran.stdout ? JSON.parse(ran.stdout) : ran;
};

let told = await load(NOT_WRONG, "--users", passwords, "--rate", "40/s", "--for", "3s", "--slo", "reach==1");
let { counts } = told;
assert.equal(told.plan.rooms, CUSTOMERS.length, "a room for each chat");
assert.ok(Math.abs(counts.sent - 120) <= 4, `${counts.sent}`);
assert.deepEqual([counts.acked, counts.unanswered, counts.foreign], [0, 0, 0]);
assert.equal(counts.delivered, counts.sent, "to one other of two");
assert.deepEqual([told.reach, told.orderPromised, told.faults], [1, false, []]);
assert.ok(!told.metrics.some((one) => one.name === "ack") && told.slos[0].held);
say(`load as people of a file: ${counts.sent} messages, each at everybody but its sender`);

told = await load(NOT_WRONG, "--users", passwords, "--rate", "300/s", "--arrivals", "burst:20", "--for", "2s");
const swapped = told.faults.find((one) => one.fault === "reordered")?.count ?? 0;
assert.deepEqual(told.faults.filter((one) => one.fault !== "reordered"), []);
say(`messages that come in a burst change places there (${swapped} did), which is told and no fault`);

const ids = file("ids.csv", ["userId,email,role", ...people.map((one) => `${one.id},${one.email},${one.role}`)]);
const minted = ["--users", ids, "--mint-secret-env", "STM_SECRET", "--rate", "20/s", "--for", "1s"];
told = await load(NOT_WRONG, ...minted);
assert.deepEqual([told.reach, told.faults], [1, []]);
say("load with tokens that the secret's owner makes");

const env = process.env.STM_SECRET;
process.env.STM_SECRET = "not the secret of this server";
told = await load([3], ...minted);
assert.match(told.stderr, /person 1 of the file/);
process.env.STM_SECRET = env;
told = await load([3], "--users", file("wrong.csv", ["email,password", "ann@load.test,hunter2"]));
assert.match(told.stderr, /person 1 of the file: sign in/);
assert.doesNotMatch(told.stderr, /hunter2/);
say("a wrong secret or password is told by its line, and not shown");
