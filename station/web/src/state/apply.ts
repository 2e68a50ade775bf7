// Events of the Station, applied to what the page knows.
import { batch } from "@preact/signals";
import type { Chat, Peer, Told } from "../wire/protocol.ts";
import { motion } from "../map/motion.ts";
import * as store from "./store.ts";

export function apply(events: Told[], t: number): void {
  batch(() => {
    const ahead = t - Date.now() / 1000;
    if (!store.known.value || ahead > store.ahead.value || store.ahead.value - ahead > 5) store.ahead.value = ahead;
    for (const event of events) one(event);
  });
}

function one(event: Told): void {
  switch (event.k) {
    case "reset": return forget();
    case "state": {
      store.session.value = event;
      store.known.value = true;
      if (event.state !== "closed") store.entered.value = event.state !== "start" && event.state !== "opening";
      return;
    }
    case "peer": return peer(event);
    case "gone": return gone(event.slot);
    case "chat": return chat(event);
    case "history": {
      const first = store.chats.value[0]?.n ?? Infinity;
      const kept = new Map(store.older.value.map((each) => [each.n, each]));
      for (const each of event.chats) if (each.n < first) kept.set(each.n, each);
      store.older.value = [...kept.values()].sort((a, b) => a.n - b.n).slice(-store.CHATS);
      store.moreOlder.value = event.more;
      return;
    }
    case "event": {
      store.events.value = [...store.events.value.slice(1 - store.EVENTS), event];
      return;
    }
    case "stats": {
      store.stats.value = event;
      store.charted.push(event);
      if (store.charted.length > store.CHARTED) store.charted.shift();
      return;
    }
    case "rows": { store.rows.value = event; return; }
    case "peers": { store.peerRows.value = event; return; }
    case "learn": { store.learned.value = event; return; }
    case "marks": { store.marks.value = event.marks; return; }
    case "time": return bins(event);
    case "profile": { store.profiles.value = { ...store.profiles.value, [event.id]: event }; return; }
    case "gap": {
      const text = `${event.count} × ${event.what}`;
      store.events.value = [...store.events.value, { n: -Date.now(), t: Date.now() / 1000 + store.ahead.value, level: "warning", name: "gap", text }];
      return;
    }
    case "media": { store.media.value = event; return; }
    case "realm": { store.realm.value = event; return; }
    case "ping": return;
  }
}

function forget(): void {
  store.entered.value = false;
  store.peers.clear();
  store.byId.clear();
  motion.clear();
  store.peersVersion.value++;
  store.chats.value = [];
  store.older.value = [];
  store.moreOlder.value = true;
  store.events.value = [];
  store.stats.value = null;
  store.charted.length = 0;
  store.rows.value = null;
  store.peerRows.value = null;
  store.learned.value = null;
  store.marks.value = [];
  store.time.value = null;
  store.profiles.value = {};
  store.realm.value = null;
  store.media.value = { tracks: [], speaking: null };
}

function peer(peer: Peer): void {
  const before = store.peers.get(peer.slot);
  if (before && before.id !== peer.id) {
    store.byId.delete(before.id);
    motion.forget(peer.slot);
  }
  store.peers.set(peer.slot, peer);
  store.byId.set(peer.id, peer);
  store.peersVersion.value++;
}

function gone(slot: number): void {
  const before = store.peers.get(slot);
  if (!before) return;
  store.peers.delete(slot);
  if (store.byId.get(before.id)?.slot === slot) store.byId.delete(before.id);
  motion.forget(slot);
  store.peersVersion.value++;
}

function chat(chat: Chat): void {
  const all = store.chats.value;
  const last = all[all.length - 1];
  if (!last || chat.n > last.n) {
    store.chats.value = [...(all.length >= store.CHATS ? all.slice(1) : all), chat];
    return;
  }
  const at = all.findIndex((each) => each.n === chat.n);
  if (at >= 0) store.chats.value = all.with(at, chat);
  else store.chats.value = [...all, chat].sort((a, b) => a.n - b.n);
}

function bins(event: { start: number; step: number; at: number; bins: number[][] }): void {
  const before = store.time.value;
  // The same ruler: its start may have moved on, by whole bins.
  let kept: number[][] = [];
  if (before && before.step === event.step) {
    const gone = Math.round((event.start - before.start) / event.step);
    kept = gone >= 0 ? before.bins.slice(gone) : [];
  }
  kept.length = Math.min(kept.length, event.at);
  while (kept.length < event.at) kept.push([0, 0, 0, 0, 0, 0, 0]);
  store.time.value = { start: event.start, step: event.step, bins: [...kept, ...event.bins] };
}
