// What `run` has measured: processor time by deliveries.
//
// node compare.mjs FOLDER SOCKETS MEMBERS
import { readFileSync } from "node:fs";

const [folder, sockets, members] = process.argv.slice(2);
const cpu = (name) => Number(readFileSync(`${folder}/${name}.cpu`, "utf8"));
const json = (name, kind) => JSON.parse(readFileSync(`${folder}/${name}.${kind}`, "utf8"));
const artillery = (name) => {
  const { counters } = json(name, "json").aggregate;
  const failed = Object.entries(counters).filter(([key]) => key.startsWith("errors."));
  const sent = (counters["socketio.emit"] ?? 0) - Number(sockets);
  return { sent, delivered: sent * Number(members), failed };
};
const row = (name, a, b) => console.log(`${name.padEnd(44)}${String(a).padStart(12)}${String(b).padStart(12)}`);

const [quiet, talk] = ["quiet", "talk"].map(artillery);
const ourTalk = json("ours-talk", "out");
const cost = (cpu("talk") - cpu("quiet")) / talk.delivered;
const ourCost = (cpu("ours-talk") - cpu("ours-quiet")) / ourTalk.counts.delivered;
row("", "artillery", "trialogue");
row("nobody speaks: processor time, s", cpu("quiet") / 1000, cpu("ours-quiet") / 1000);
row("sent", talk.sent, ourTalk.counts.sent);
row("delivered", `${talk.delivered} owed`, ourTalk.counts.delivered);
row("processor time, s", cpu("talk") / 1000, cpu("ours-talk") / 1000);
row("a delivery, µs of it", (cost * 1000).toFixed(1), (ourCost * 1000).toFixed(1));
row("which leaves room for, on one core, a second", Math.round(1000 / cost), Math.round(1000 / ourCost));
console.log(`quotient of the cost: ${(cost / ourCost).toFixed(1)}`);
const wrong = [];
for (const [name, one] of Object.entries({ quiet, talk })) {
  one.failed.forEach(([key, count]) => wrong.push(`artillery, ${name}: ${count} ${key}`));
}
if (talk.sent !== ourTalk.counts.sent) wrong.push(`not the same messages: ${talk.sent} and ${ourTalk.counts.sent}`);
const owed = ourTalk.counts.sent * Number(members);
if (ourTalk.counts.delivered !== owed) wrong.push(`trialogue saw ${ourTalk.counts.delivered} of ${owed}`);
wrong.forEach((one) => console.error(`WRONG   ${one}`));
process.exit(wrong.length === 0 ? 0 : 1);
