// What this page looks at: the Station sends nothing else.
import { computed, effect, signal } from "@preact/signals";
import type { Failure, View } from "../wire/protocol.ts";
import { calm, narrow, still, tab } from "./settings.ts";
import { phase, session } from "./store.ts";

export const peersView = signal({ sort: "distance", down: false, filter: "", first: 0, rows: 60 });
export const packetsView = signal<{ filter: string; highlight: string; anchor: number | null; rows: number }>({ filter: "", highlight: "", anchor: null, rows: 80 });
export const before = signal<number | null>(null);
export const listening = signal<string[]>([]);
export const watching = signal<string[]>([]);
/** The view that frames are of which come now: the last one that was answered. */
let inForce: View = {};
export function enforce(view: View): void { inForce = view; }
export function trackOf(kind: "audio" | "video", place: number): string | undefined { return inForce[kind]?.[place]; }
export const viewErrors = signal<Record<string, Failure | undefined>>({});
/** Sides that show their panel however the tabs stand: the packets under Learn, a sheet over the map. */
export const mapShown = computed(() => !narrow.value || tab.value === "map");

export const view = computed<View>(() => {
  const live = session.value.state !== "start";
  if (!live) return { stats: { on: true } };
  const slow = calm.value || still.value;
  return {
    map: { on: mapShown.value, hz: slow ? 2 : 20 },
    peers: { on: tab.value === "peers", ...peersView.value },
    packets: { on: tab.value === "packets", ...packetsView.value },
    chat: { on: true, before: before.value },
    learn: { on: tab.value === "learn" },
    time: { on: true },
    stats: { on: true },
    media: { on: tab.value === "media" || listening.value.length > 0 || watching.value.length > 0 },
    audio: listening.value,
    video: watching.value,
  };
});

/** Tells the Station what is looked at, once a turn at most, whenever that changes. */
export function tellViews(ask: (view: View) => Promise<{ errors?: Record<string, Failure> }>): void {
  let waiting = false;
  let last = "";
  effect(() => {
    const open = phase.value === "open";
    const text = JSON.stringify(view.value);
    if (!open) { last = ""; return; }
    if (waiting || text === last) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      const now = view.peek();
      last = JSON.stringify(now);
      ask(now).then((answer) => { enforce(now); viewErrors.value = answer.errors ?? {}; }, () => undefined);
    }, 30);
  });
}
