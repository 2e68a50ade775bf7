// The one link of the page, and the verbs that the panels use.
import { effect } from "@preact/signals";
import { AUDIO, POSITIONS, VIDEO, piece, positions } from "../wire/frames.ts";
import type { Failure } from "../wire/protocol.ts";
import { Link, Refused } from "../wire/socket.ts";
import { motion } from "../map/motion.ts";
import { apply } from "./apply.ts";
import * as store from "./store.ts";
import type { View } from "../wire/protocol.ts";
import { enforce, listening, tellViews, view } from "./views.ts";

type Heard = (data: ArrayBuffer) => void;
const media: { audio: Heard; video: Heard } = { audio: () => undefined, video: () => undefined };
export function onMedia(kind: "audio" | "video", heard: Heard): void {
  media[kind] = heard;
}

let greeted: View = {};
export const link = new Link({
  phase(phase) {
    store.phase.value = phase;
    if (phase === "gone") store.endedAt.value ??= Date.now() / 1000;
    if (phase === "open") store.endedAt.value = null;
  },
  welcome(welcome) {
    enforce(greeted);
    store.welcome.value = welcome;
  },
  told: apply,
  binary(head, data) {
    if (head.type === POSITIONS) {
      motion.arrived(head.t);
      positions(data, head, motion);
    } else if (head.type === AUDIO) media.audio(data);
    else if (head.type === VIDEO) media.video(data);
  },
  view: () => (greeted = view.peek()),
  hears: () => listening.peek().length > 0,
});

export function start(): void {
  tellViews((what) => link.ask("view", what));
  link.connect();
  setInterval(() => { store.now.value = Date.now() / 1000 + store.ahead.peek(); }, 1000);
  effect(() => {
    const { target, state } = store.session.value;
    document.title = state === "start" || !target ? "Comms Station" : `${target} · Comms Station`;
  });
}

export function failure(error: unknown): Failure {
  if (error instanceof Refused) return error.failure;
  throw error;
}

/** Does it; what refuses it is shown in a toast.  Gives the answer, or null. */
export async function act<Answer = Record<string, unknown>>(what: string, args: object = {}): Promise<Answer | null> {
  try {
    return await link.ask<Answer>(what, args);
  } catch (error) {
    const { text, fix } = failure(error);
    store.toast(fix ? `${text} ${fix}` : text, "error");
    return null;
  }
}

const PIECE = 60_000, AHEAD = 1_000_000;
/** Sends a file piece by piece; the Station said under which number. */
export async function sendPieces(number: number, file: File, told: (part: number) => void): Promise<void> {
  for (let at = 0, seq = 0; at < file.size; at += PIECE, seq++) {
    while (link.waiting > AHEAD) await new Promise((go) => setTimeout(go, 20));
    link.send(piece(number, seq, new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer())));
    told(Math.min(1, (at + PIECE) / file.size));
  }
}

export async function copy(text: string, said: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  store.toast(said);
}
