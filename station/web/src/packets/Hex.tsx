// Bytes as hex and as characters, sixteen in a line or eight where there is less room; a click chooses the field that a byte belongs to.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { watchSize } from "../parts/size.ts";
import { T } from "../texts.ts";

const MOST = 4096, ROOMY = 540;
interface Props { hex: string; cut: number; from?: number | null; body?: number | null; to?: number | null; onPick?(at: number): void }

export function Hex({ hex, cut, from = null, body = null, to = null, onPick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const wide = useSignal(16);
  useEffect(() => {
    const element = box.current!;
    return watchSize(element, () => { wide.value = element.clientWidth < ROOMY ? 8 : 16; });
  }, []);
  const WIDE = wide.value;
  const size = Math.min(hex.length / 2, MOST);
  useEffect(() => {
    if (from === null) return;
    const line = box.current?.querySelector<HTMLElement>(`[data-line="${Math.floor(from / WIDE)}"]`);
    if (line && box.current) {
      const top = line.offsetTop - box.current.offsetTop;
      if (top < box.current.scrollTop || top > box.current.scrollTop + box.current.clientHeight - 24) box.current.scrollTop = top - 24;
    }
  }, [from]);
  const lines = [];
  for (let start = 0; start < size; start += WIDE) {
    const bytes = [], chars = [];
    for (let at = start; at < Math.min(start + WIDE, size); at++) {
      const byte = hex.slice(at * 2, at * 2 + 2);
      const code = parseInt(byte, 16);
      const look = from !== null && to !== null && at >= from && at < to ? (body !== null && at < body ? "tag on" : "on") : "";
      bytes.push(<span key={at} class={look} data-at={at}>{byte}</span>);
      chars.push(<span key={at} class={look} data-at={at}>{code > 31 && code < 127 ? String.fromCharCode(code) : "·"}</span>);
    }
    lines.push(<div key={start} class="line" data-line={start / WIDE}><span class="dim offset">{start.toString(16).padStart(4, "0")}</span><span class="bytes">{bytes}</span><span class="chars">{chars}</span></div>);
  }
  const missing = cut + hex.length / 2 - size;
  return (
    <div
      ref={box} class={`hex by${WIDE}`} tabIndex={0} role="group" aria-label={from !== null && to !== null ? T.packets.hexOf(from, to) : T.packets.hex}
      onClick={(event) => { const at = (event.target as HTMLElement).dataset["at"]; if (at !== undefined) onPick?.(Number(at)); }}
    >
      {lines}
      {missing > 0 && <p class="dim">{T.packets.missing(missing)}</p>}
    </div>
  );
}
