// Words from outside and from us: what strangers wrote is text, whatever is in it; numbers and times in one way everywhere.
import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { T } from "../texts.ts";
import { clock, parcels } from "../state/settings.ts";
import { byId, now } from "../state/store.ts";
import type { Vec } from "../wire/protocol.ts";

// The table of dcl_comms_core.printable: controls, formats (bidi, zero-width), surrogates, private and unassigned ones, odd spaces.
const ODD = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
const PIECES = /\p{Extended_Pictographic}(?:\u200d|\ufe0f|[\u{1f3fb}-\u{1f3ff}]|\p{Extended_Pictographic})*|[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** Text as nodes: what can't be seen is a visible mark; line breaks stay where `lines` says so. */
export function marked(text: string, lines = false): ComponentChildren {
  if (!ODD.test(text)) return text;
  const out: ComponentChildren[] = [];
  let last = 0;
  for (const found of text.matchAll(PIECES)) {
    const piece = found[0];
    if (!ODD.test(piece) || /^\p{Extended_Pictographic}/u.test(piece) || (lines && piece === "\n")) continue;
    out.push(text.slice(last, found.index));
    const point = piece.codePointAt(0) ?? 0;
    out.push(<span class="odd" title={T.words.odd(point)}>{point.toString(16).toUpperCase().padStart(2, "0")}</span>);
    last = found.index + piece.length;
  }
  out.push(text.slice(last));
  return out;
}

/** The same in one plain string, for titles and canvases. */
export function plain(text: string, limit = 60): string {
  const out = text.replace(PIECES, (piece) => (ODD.test(piece) && !/^\p{Extended_Pictographic}/u.test(piece) ? "·" : piece));
  const chars = [...out];
  return chars.length > limit ? `${chars.slice(0, limit - 1).join("")}…` : out;
}

export function Word({ text, limit = 80, strong = false }: { text: string; limit?: number; strong?: boolean }) {
  const chars = text.length > limit ? `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…` : text;
  const inner = <bdi dir="auto" class="word" title={chars === text ? undefined : plain(text, 400)}>{marked(chars)}</bdi>;
  return strong ? <strong>{inner}</strong> : inner;
}

/** A longer text, cut with "show all"; `cut`: how many more characters the Station kept for itself. */
export function Long({ text, cut = 0, limit = 400 }: { text: string; cut?: number; limit?: number }) {
  const [all, setAll] = useState(false);
  const long = text.length > limit;
  const shown = all || !long ? text : text.slice(0, limit).replace(/[\ud800-\udbff]$/, "");
  return (
    <>
      <bdi dir="auto" class="long">{marked(shown, true)}{long && !all ? "…" : ""}</bdi>
      {long && <button class="quiet" onClick={() => setAll(!all)}>{all ? T.words.less : T.words.all(text.length)}</button>}
      {cut > 0 && <span class="dim"> {T.words.cut(cut)}</span>}
    </>
  );
}

export function short(id: string): string {
  return /^0x[0-9a-f]{40}$/i.test(id) ? `${id.slice(0, 6)}…${id.slice(-4)}` : plain(id, 18);
}

export function nameOf(id: string, name?: string | null): string {
  return name || byId.get(id)?.name || short(id);
}

const HUES = 8;
/** One of eight colours, from what the identity is and not from what it says. */
export function hue(id: string): number {
  let hash = 2166136261;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619);
  return ((hash ^ (hash >>> 15)) >>> 0) % HUES;
}

export function Dot({ id }: { id: string }) {
  return <span class={`dot hue${hue(id)}`} aria-hidden="true" />;
}

export function Name({ id, name, limit = 28 }: { id: string; name?: string | null; limit?: number }) {
  return <span class="name"><Dot id={id} /><Word text={nameOf(id, name)} limit={limit} /></span>;
}

const pad = (n: number, wide = 2): string => String(Math.floor(n)).padStart(wide, "0");

export function time(t: number, exact = false): string {
  if (clock.value === "relative") return T.words.ago(span(Math.max(0, now.value - t)));
  const date = new Date(t * 1000);
  const utc = clock.value === "utc";
  const [h, m, s] = utc ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()] : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${pad(h)}:${pad(m)}:${pad(s)}${exact ? `.${pad(date.getMilliseconds(), 3)}` : ""}`;
}

export function span(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${pad(seconds % 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}:${pad((seconds / 60) % 60)} h`;
  return T.words.days(Math.floor(seconds / 86400));
}

export function minutes(seconds: number): string {
  const s = Math.abs(Math.round(seconds));
  const hours = Math.floor(s / 3600);
  return `${hours ? `${hours}:` : ""}${pad((s / 60) % 60)}:${pad(s % 60)}`;
}

export function bytes(n: number): string {
  if (n < 1000) return `${Math.round(n)} B`;
  if (n < 999_500) return `${(n / 1000).toFixed(n < 9950 ? 1 : 0)} kB`;
  return n < 999_500_000 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`;
}

export function number(n: number): string {
  return n >= 10000 ? Math.round(n).toLocaleString("en") : n % 1 && n < 100 ? n.toFixed(1) : String(Math.round(n));
}

export function metres(m: number): string {
  if (parcels.value) return T.words.parcels((m / 16).toFixed(m < 160 ? 1 : 0));
  return m < 10 ? `${m.toFixed(1)} m` : `${Math.round(m).toLocaleString("en")} m`;
}

export function place(at: Vec): string {
  const [x, y, z] = parcels.value ? [Math.floor(at[0] / 16), at[1], Math.floor(at[2] / 16)] : at;
  return parcels.value ? `${x}, ${z}` : `${x.toFixed(1)}, ${y.toFixed(1)}, ${z.toFixed(1)}`;
}
