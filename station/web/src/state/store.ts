// What the page knows, as signals: filled by apply.ts, read by the panels.  Nothing here grows without end.
import { computed, signal } from "@preact/signals";
import type { Chapter, Chat, Logged, Mark, MediaState, Packet, Peer, PeerRow, Profile, Rows, State, Stats, Welcome } from "../wire/protocol.ts";
import type { Phase } from "../wire/socket.ts";

export const CHATS = 5000, EVENTS = 1000, CHARTED = 600;

export const phase = signal<Phase>("connecting");
export const endedAt = signal<number | null>(null);
export const welcome = signal<Welcome | null>(null);
export const NOTHING: State = { state: "start", source: "none", target: "", id: null, slot: 0, since: 0, stages: [], rooms: [], can: {} };
export const session = signal<State>(NOTHING);
export const known = signal(false);
/** We were in: what is left of it stays in sight, closed or not. */
export const entered = signal(false);
export const ended = computed(() => phase.value === "gone" || (phase.value === "connecting" && endedAt.value !== null));

// Peers by slot; the map is changed in place, the version says so.
export const peers = new Map<number, Peer>();
export const byId = new Map<string, Peer>();
export const peersVersion = signal(0);
export const selected = signal<string | null>(null);
export const following = signal(false);

export const chats = signal<Chat[]>([]);
export const older = signal<Chat[]>([]);
export const moreOlder = signal(true);
export const events = signal<Logged[]>([]);
export const stats = signal<Stats | null>(null);
export const charted: Stats[] = [];
export const rows = signal<Rows | null>(null);
export const peerRows = signal<{ total: number; matching: number; first: number; rows: PeerRow[] } | null>(null);
export const learned = signal<{ first: number; end: number; chapters: Chapter[] } | null>(null);
export const marks = signal<Mark[]>([]);
export interface Bins { start: number; step: number; bins: number[][] }
export const time = signal<Bins | null>(null);
export const profiles = signal<Record<string, Profile>>({});
export const media = signal<MediaState>({ tracks: [], speaking: null });
export const realm = signal<{ url: string; bots: number; livekit: boolean } | null>(null);
export const packet = signal<Packet | null>(null);
export const wanted = signal<number | null>(null);

/** Seconds that the Station's clock is ahead of ours: the smallest seen, since frames only come late. */
export const ahead = signal(0);
export const now = signal(Date.now() / 1000);

export const readOnly = computed(() => welcome.value?.read_only ?? false);
export const count = computed(() => {
  peersVersion.value;
  let [all, placed] = [0, 0];
  for (const peer of peers.values()) {
    if (peer.kind === "me") continue;
    all++;
    if (peer.placed) placed++;
  }
  return { all, placed };
});

export interface Toast { n: number; text: string; level: "info" | "error" }
export const toasts = signal<Toast[]>([]);
let told = 0;
export function toast(text: string, level: Toast["level"] = "info"): void {
  const mine = { n: ++told, text, level };
  toasts.value = [...toasts.value.slice(-3), mine];
  setTimeout(() => { toasts.value = toasts.value.filter((each) => each !== mine); }, level === "error" ? 9000 : 4000);
}
