// A peer on npm's @livekit/rtc-node, which orders and reports by JSON lines: `node node_peer.cjs FOLDER`.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const { Room, RoomEvent, dispose } = createRequire(path.join(process.argv[2], "package.json"))("@livekit/rtc-node");

const say = (event, details) => process.stdout.write(JSON.stringify({ event, ...details }) + "\n");
const room = new Room();

room.on(RoomEvent.DataReceived, (data, sender, kind, topic) =>
  say("data", {
    sender: sender?.identity ?? null, data: Buffer.from(data).toString("base64"), topic: topic ?? "", reliable: kind === 0,
  }));
room.on(RoomEvent.ParticipantConnected, (who) => say("joined", { identity: who.identity }));
room.on(RoomEvent.ParticipantDisconnected, (who) => say("left", { identity: who.identity }));
room.on(RoomEvent.Reconnecting, () => say("reconnecting", {}));
room.on(RoomEvent.Reconnected, () => say("reconnected", {}));
room.on(RoomEvent.Disconnected, (reason) => say("disconnected", { reason }));

const orders = {
  async connect({ url, token }) {
    await room.connect(url, token, { autoSubscribe: true, dynacast: false });
    say("connected", { peers: [...room.remoteParticipants.keys()].sort() });
  },
  async send({ data, to, topic, reliable }) {
    const options = { reliable, destination_identities: to, ...(topic ? { topic } : {}) };
    await room.localParticipant.publishData(new Uint8Array(Buffer.from(data, "base64")), options);
    say("sent", {});
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: what, ...details } = JSON.parse(line);
    if (what === "quit") break;
    try {
      await orders[what](details);
    } catch (problem) {
      say("failed", { what, text: String(problem) });
    }
  }
  await room.disconnect();
  await dispose();
  process.exit(0);
})();
