// What can be done from everywhere: the keys and the palette both come here.
import { signal } from "@preact/signals";
import { T } from "../texts.ts";
import { exporting, type Saved } from "../recording/exporting.ts";
import { act, copy } from "../state/link.ts";
import { narrow, split, tab, theme, type Tab, type Theme } from "../state/settings.ts";
import { session, toast } from "../state/store.ts";
import { packetsView } from "../state/views.ts";

export type Open = null | "palette" | "keys" | "settings" | "composer";
export const opened = signal<Open>(null);

export function go(to: Tab): void {
  tab.value = to;
  requestAnimationFrame(() => focusOn(to));
}

function focusOn(to: Tab): void {
  const inside = { map: "#map", chat: "#say", peers: ".grid.peers", packets: ".grid.packets", media: "#panel", health: "#panel", learn: ".lesson" }[to];
  const element = document.querySelector<HTMLElement>(inside) ?? document.querySelector<HTMLElement>("#panel");
  element?.focus();
}

export function filter(): void {
  const inside = tab.value === "peers" ? "#peers-filter" : "#filter";
  if (tab.value !== "peers" && tab.value !== "packets") tab.value = "packets";
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>(inside)?.focus());
}

export function preset(n: 1 | 2 | 3): void {
  split.value = n === 2 ? 22 : n === 3 ? 38 : 50;
  go(n === 1 ? "chat" : n === 2 ? "packets" : "learn");
}

export function nextTheme(): void {
  const all: Theme[] = ["system", "dark", "light", "contrast"];
  theme.value = all[(all.indexOf(theme.value) + 1) % all.length] ?? "system";
  toast(T.settings.themes[theme.value]);
}

export function record(): void {
  const on = !session.value.record;
  void act<{ name: string } & Partial<Omit<Saved, "n">> & { recording?: number }>("record", { on }).then((done) => {
    if (!done) return;
    if (on || done.recording === undefined) toast(T.time.recordingTo(done.name));
    else exporting.value = { ...done, n: done.recording };
  });
}

/** The recording that plays, as a file. */
export function save(): void {
  const { recording, target } = session.value;
  if (typeof recording === "number") exporting.value = { n: recording, name: target };
}

export function pause(): void {
  const { play, state } = session.value;
  if (play) void act("play", state !== "playing" && play.paused ? { live: true } : { paused: !play.paused });
  else if (state === "open" || state === "reconnecting") void act("play", { paused: true });
}

export function live(): void {
  void act("play", { live: true });
}

export function match(step: 1 | -1): void {
  void act("play", { step, filter: packetsView.value.filter });
}

export function show(filter: string): void {
  packetsView.value = { ...packetsView.value, filter, anchor: null };
  go("packets");
}

export function report(): void {
  void act<{ text: string }>("report").then((done) => { if (done) void copy(done.text, T.health.reported); });
}

export function popOut(which: Tab): void {
  window.open(`/#/${which}`, "_blank");
}

export const panels = (): Tab[] => (narrow.value ? ["map", "chat", "peers", "packets", "media", "health", "learn"] : ["chat", "peers", "packets", "media", "health", "learn"]);
