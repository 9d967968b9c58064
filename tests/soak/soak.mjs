// Six callers ask while everything goes wrong, and every answer is held against an independent computation.
//
//   node soak.mjs BINARY [SECONDS] [SEED]
//
// Wrong is an answer that differs without an error or `complete: false`, holds what its caller may not see, or has a status
// of 500 or more; and what is not whole again two minutes after the last fault, which is always that every upstream asks to be
// left alone for ever. In the first part of the time the gateway is killed twice; in the rest its memory and handles must not grow.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { faults, proxy } from "./faults.mjs";
import { forbidden, questions, readEstate, toldRoots } from "./oracle.mjs";

const [binary, seconds = "600", seed = "1"] = process.argv.slice(2);
const random = ((state) => (below) => {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
})(Number(seed));
const began = Date.now();
const lasts = Number(seconds) * 1000;
const elapsed = () => (Date.now() - began) / lasts;

const processes = new Set();
const start = (args, environment, onLine) => {
  const child = spawn(binary, args, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  processes.add(child);
  child.on("exit", () => processes.delete(child));
  child.stdout.on("data", (data) => onLine?.(String(data)));
  child.stderr.on("data", (data) => onLine?.(String(data)));
  return child;
};
process.on("exit", () => processes.forEach((child) => child.kill("SIGKILL")));
const until = async (what, holds, milliseconds = 60_000) => {
  const deadline = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${milliseconds} ms`);
    await sleep(100);
  }
};

// --- the other side of the wire
let simulated = "";
const simulator = start(["simulate", "--listen", "127.0.0.1:0", "--scale", "small", "--seed", seed], {}, (text) => (simulated += text));
await until("the simulator", () => /http:\/\/[\d.:]+/.test(simulated));
const origin = simulated.match(/http:\/\/[\d.:]+/)[0];
const estate = await readEstate(origin);
const proxies = { msp: await proxy(origin), em: await proxy(origin), agents: await proxy(origin) };

// --- the gateway
const companies = estate.companies.filter(({ uid }) => estate.jobs.some((job) => job.company === uid));
const callers = [
  { name: "everything" },
  { name: "everything-hidden", hide: true },
  { name: "company-a", companies: [companies[0].uid] },
  { name: "company-b", companies: [companies[1].uid] },
  { name: "two-companies", companies: [companies[0].uid, companies.at(-1).uid] },
  { name: "one-server", servers: [estate.servers[0].uid] },
].map((caller) => ({ ...caller, key: createHash("sha256").update(`${seed} ${caller.name}`).digest("hex") }));
callers.forEach((caller) => (caller.forbidden = forbidden(estate, caller)));
const folder = await mkdtemp(join(tmpdir(), "soak-"));
const list = (texts) => `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;
const kinds = { msp: "vspc", em: "enterprise-manager", agents: "vac" };
const lifetimes = ["jobs", "agent_objects", "sessions", "agent_jobs", "alarms", "links", "copy_jobs", "workloads", "servers", "companies", "repositories"];
const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});
const address = `127.0.0.1:${await freePort()}`;
const configuration = [
  `[server]\nlisten = "${address}"\n`,
  "[limits]\nfailed_sign_ins_per_minute = 100000\n",
  ...Object.entries(kinds).map(([name, kind]) => [
    `[[upstream]]\nname = "${name}"\nkind = "${kind}"\nurl = "${proxies[name].origin}"\ntimeout = "3s"`,
    `auth = { username = "operator", password_env = "PASSWORD" }`,
    "[upstream.cache]\n" + lifetimes.map((list, place) => `${list} = "${3 + (place % 4)}s"`).join("\n") + '\nmax_stale = "1s"\nfailure = "1s"\n',
  ].join("\n")),
  ...callers.map((caller) => [
    `[[auth.caller]]\nname = "${caller.name}"\nkey_sha256 = ["${createHash("sha256").update(caller.key).digest("hex")}"]`,
    caller.companies && `companies = ${list(caller.companies)}`,
    caller.servers && `servers = ${list(caller.servers)}`,
    !caller.companies && !caller.servers && "everything = true",
    caller.hide && 'hide = ["failure_messages", "host_names"]',
  ].filter(Boolean).join("\n") + "\n"),
].join("\n");
await writeFile(join(folder, "gateway.toml"), configuration);

const seen = { answers: 0, whole: 0, told: 0, lost: 0, wrong: [], panics: 0, restarts: 0 };
let gateway;
let isDown = true;
const startGateway = async () => {
  let log = "";
  gateway = start(["serve", "--config", join(folder, "gateway.toml")], { PASSWORD: "simulator", RUST_LOG: "warn,veeam_graph=info" }, (text) => {
    if (log.length < 10_000) log += text;
    if (/panicked at/.test(text)) seen.panics += 1;
  });
  gateway.on("exit", () => isDown || (seen.wrong.push(`the gateway ended: ${log.slice(-2_000)}`), (isDown = true)));
  await until("the gateway's first answer", () => fetch(`http://${address}/health/live`).then(({ ok }) => ok, () => false));
  isDown = false;
};
await startGateway();

// --- asking
const asked = questions(estate);
const ask = async (caller, chosen) => {
  const question = chosen ?? asked[random(asked.length)];
  const variables = question.variables?.(random);
  // a third of the documents are seen once
  const query = random(3) === 0 ? `${question.query} # ${random(2 ** 30)}` : question.query;
  const wasUp = !isDown && gateway.pid;
  let response;
  let text;
  try {
    response = await fetch(`http://${address}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${caller.key}` },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(60_000),
    });
    text = await response.text();
  } catch (error) {
    if (wasUp && !isDown && wasUp === gateway.pid) seen.wrong.push(`${caller.name}: no answer: ${error.cause ?? error}`);
    else seen.lost += 1;
    return;
  }
  seen.answers += 1;
  const say = (what) => seen.wrong.push(`${caller.name}, ${[...active.values()].join(" and ") || "no fault"}: ${what}\n  ${query}\n  ${text.slice(0, 600)}`);
  if (response.status >= 500) return say(`status ${response.status}`);
  const leaked = caller.forbidden.find((id) => text.toLowerCase().includes(id));
  if (leaked && !(variables && Object.values(variables).includes(leaked))) return say(`holds ${leaked}, which it may not see`);
  const answer = JSON.parse(text);
  const told = toldRoots(answer);
  if (told === undefined || !answer.data || Object.keys(answer.data).some((root) => told.has(root))) {
    seen.told += 1;
    return;
  }
  let difference;
  try {
    difference = question.check(answer.data, caller, variables);
  } catch (error) {
    difference = String(error);
  }
  if (difference) return say(difference);
  seen.whole += 1;
};
const isOver = () => elapsed() >= 1 || seen.wrong.length > 50;
let isBroken = true;
const callersAsk = callers.map(async (caller) => {
  // until the last fault is over
  while (!isOver() || (isBroken && seen.wrong.length <= 50)) {
    if (isDown) await sleep(50);
    else await ask(caller);
    await sleep(5 + random(20));
  }
});

// --- going wrong
const active = new Map();
const used = new Map();
const use = (name) => used.set(name, (used.get(name) ?? 0) + 1);
const breakThings = (async () => {
  const names = Object.keys(faults);
  await sleep(2_000);
  for (let turn = 0; !isOver(); turn += 1) {
    const [upstream, door] = Object.entries(proxies)[random(4) % 3];
    const kind = turn % (names.length + 2);
    if (kind === names.length) {
      use("connection refused");
      active.set(upstream, "connection refused");
      await door.down();
      await sleep(1_000 + random(4_000));
      await door.up();
    } else if (kind === names.length + 1) {
      use("simulator stopped for a while");
      active.set(upstream, "simulator stopped for a while");
      simulator.kill("SIGSTOP");
      await sleep(500 + random(3_000));
      simulator.kill("SIGCONT");
    } else {
      use(names[kind]);
      active.set(upstream, names[kind]);
      door.state.fault = faults[names[kind]];
      await sleep(1_000 + random(4_000));
      door.state.fault = undefined;
    }
    active.delete(upstream);
    if (random(4) === 0) await sleep(random(4_000)); // all is well for a while
  }
  // The last fault is the one that lasts longest without anybody's doing: every upstream asks to be left alone for ever.
  // What heals from that heals from the others, whichever of them the schedule ended with.
  const [endless] = names.filter((name) => name.includes("endless"));
  for (const [upstream, door] of Object.entries(proxies)) {
    use(endless);
    active.set(upstream, endless);
    door.state.fault = faults[endless];
  }
  await sleep(6_000); // longer than any list is fresh, so that each upstream is asked
  for (const [upstream, door] of Object.entries(proxies)) {
    door.state.fault = undefined;
    active.delete(upstream);
  }
})();
const killIt = (async () => {
  for (const at of [0.1, 0.2]) {
    while (elapsed() < at) await sleep(200);
    isDown = true;
    gateway.kill("SIGKILL");
    seen.restarts += 1;
    await until("its end", () => gateway.exitCode !== null || gateway.signalCode !== null);
    await startGateway();
  }
})();

// --- watching
const samples = [];
const watch = (async () => {
  while (!isOver()) {
    await sleep(1_000);
    if (isDown || elapsed() < 0.3) continue;
    try {
      const status = await readFile(`/proc/${gateway.pid}/status`, "utf8");
      const rss = Number(status.match(/VmRSS:\s+(\d+)/)[1]) / 1024;
      const handles = (await readdir(`/proc/${gateway.pid}/fd`)).length;
      samples.push({ at: elapsed(), rss, handles });
    } catch {
      // not on this system, or it just ended
    }
  }
})();

await Promise.all([...callersAsk, breakThings.finally(() => (isBroken = false)), killIt, watch]);

// --- all is well again: everybody has whole answers soon
const healed = Date.now();
for (const caller of callers) {
  for (const question of asked) {
    for (;;) {
      const before = seen.whole;
      await ask(caller, question);
      if (seen.whole > before || seen.wrong.length > 0) break;
      if (Date.now() - healed > 120_000) {
        seen.wrong.push(`${caller.name}: two minutes after the last fault this is not whole: ${question.query}`);
        break;
      }
      await sleep(250);
    }
  }
}
const recovery = Math.round((Date.now() - healed) / 1000);
const most = (from, to, what) => Math.max(0, ...samples.filter(({ at }) => at >= from && at < to).map((sample) => sample[what]));
const figures = ["rss", "handles"].map((what) => ({ what, middle: most(0.3, 0.65, what), end: most(0.65, 1.1, what) }));
for (const { what, middle, end } of figures) {
  if (end > middle * 1.2 + 24) seen.wrong.push(`${what} grows: at most ${middle.toFixed(0)} in the middle, ${end.toFixed(0)} at the end`);
}
if (seen.panics > 0) seen.wrong.push(`${seen.panics} panics in the log`);
if (seen.whole < 50) seen.wrong.push(`only ${seen.whole} whole answers: nothing was shown`);
const [rss, handles] = figures;
console.log(
  `soak: ${Math.round((Date.now() - began) / 1000)} s, ${used.size} kinds of fault ${[...used.values()].reduce((sum, times) => sum + times, 0)} times, ` +
    `${seen.restarts} kills; ${seen.answers} answers: ${seen.whole} whole and right, ${seen.told} with an error or incomplete, ${seen.lost} lost in kills, ` +
    `${seen.wrong.length} wrong; whole again after ${recovery} s; memory at most ${rss.middle.toFixed(0)} then ${rss.end.toFixed(0)} MB, handles ${handles.middle} then ${handles.end}`,
);
seen.wrong.slice(0, 10).forEach((what) => console.error(what));
// what ends from here on was ended
const code = seen.wrong.length > 0 ? 1 : 0;
Object.values(proxies).forEach((door) => door.end());
processes.forEach((child) => child.kill("SIGKILL"));
await rm(folder, { recursive: true });
process.exit(code);
