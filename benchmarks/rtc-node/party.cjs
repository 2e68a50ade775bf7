// One end of a LiveKit benchmark on npm @livekit/rtc-node: `node party.cjs FOLDER URL`, the rest as livekit_party.py.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const [folder, url] = process.argv.slice(2);
const { Room, RoomEvent, dispose } = createRequire(path.join(folder, "package.json"))("@livekit/rtc-node");

const TAG = Buffer.from("bench");
const counter = { first: 0, count: 0, seen: new Set(), start: 0, end: 0, before: 0, back: null, told: () => {} };

const now = () => Number(process.hrtime.bigint()) / 1e9;
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const say = (report) => process.stdout.write(JSON.stringify(report) + "\n");

function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function payload(bytes, sequence) {
  const data = Buffer.alloc(bytes);
  TAG.copy(data, bytes - 16);
  data.writeBigUInt64BE(BigInt(sequence), bytes - 11);
  return data;
}

function take(room, data) {
  const at = now();
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const found = buffer.lastIndexOf(TAG);
  const number = found < 0 ? -1 : Number(buffer.readBigUInt64BE(found + TAG.length));
  if (number >= counter.first && number < counter.first + counter.count) {
    counter.seen.add(number);
    counter.start = counter.start || at;
    counter.end = at;
    counter.told();
    if (counter.back !== null) room.localParticipant.publishData(data, { reliable: counter.back });
  }
}

async function trip(room, order) {
  const took = [];
  const before = cpu();
  for (let number = order.first; number < order.first + order.count; number++) {
    const packet = payload(order.bytes, number);
    let told;
    const came = new Promise((resolve) => (told = resolve));
    Object.assign(counter, { first: number, count: 1, seen: new Set(), start: 0, end: 0, back: null, told });
    const start = now();
    const lost = setTimeout(told, 1000);
    await room.localParticipant.publishData(packet, { reliable: order.reliable });
    await came;
    clearTimeout(lost);
    if (counter.seen.size) took.push(counter.end - start);
  }
  counter.told = () => {};
  took.sort((one, other) => one - other);
  say({ did: "trip", distinct: took.length, p50: took[Math.floor(took.length / 2)], cpu: cpu() - before });
}

async function send(room, order) {
  const packets = [];
  for (let index = 0; index < order.count; index++) packets.push(payload(order.bytes, order.first + index));
  const before = cpu();
  let next = 0;
  const worker = async () => {
    while (next < packets.length) await room.localParticipant.publishData(packets[next++], { reliable: order.reliable });
  };
  await Promise.all(Array.from({ length: order.window }, worker));
  say({ did: "send", cpu: cpu() - before });
}

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const token = (await lines.next()).value;
  const room = new Room();
  room.on(RoomEvent.DataReceived, (data) => take(room, data));
  await room.connect(url, token, { autoSubscribe: true, dynacast: false });
  say({ did: "connect" });
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const order = JSON.parse(line.value);
    if (order.do === "send") {
      await send(room, order);
    } else if (order.do === "trip") {
      await trip(room, order);
    } else if (order.do === "expect") {
      Object.assign(counter, { first: order.first, count: order.count, seen: new Set(), start: 0, end: 0, before: cpu(), back: order.back ?? null });
      say({ did: "expect" });
    } else if (order.do === "result") {
      const patience = now() + order.patience;
      while (counter.seen.size < counter.count && now() < patience) await sleep(0.005);
      say({ did: "result", distinct: counter.seen.size, seconds: counter.end - counter.start, cpu: cpu() - counter.before });
    }
  }
  await room.disconnect();
  await dispose();
}

main().then(() => process.exit(0));
