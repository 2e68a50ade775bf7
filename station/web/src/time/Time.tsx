// The time line: what happened when, where we look, and the way back to now.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { T } from "../texts.ts";
import { Button, Select } from "../parts/ui.tsx";
import { minutes, time as clock } from "../parts/words.tsx";
import { watchSize } from "../parts/size.ts";
import { act } from "../state/link.ts";
import { painted } from "../state/settings.ts";
import { ended, marks, now, readOnly, session, time, toast } from "../state/store.ts";
import { live, match, pause, save } from "../shell/doing.ts";
import { packetsView } from "../state/views.ts";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16];
const MINUTES = 600, LEAST = 60;

function range(): { from: number; to: number; at: number; live: boolean; playing: boolean } {
  const { play, state } = session.value;
  const playing = state === "playing";
  if (play) return { from: play.from, to: playing ? play.to : Math.max(play.to, now.value), at: play.at, live: false, playing };
  const began = time.value ? Math.max(now.value - MINUTES, Math.min(time.value.start, now.value - LEAST)) : now.value - MINUTES;
  return { from: began, to: now.value, at: now.value, live: true, playing: false };
}

export function TimeLine() {
  const { play, state } = session.value;
  const here = range();
  const off = readOnly.value ? T.readOnly : ended.value ? T.states.gone : state === "closed" ? T.states.closed : null;
  const seek = (to: number): void => { if (!off) void act("play", { at: Math.max(here.from, Math.min(here.to, to)) }); };
  const paused = play && !here.live ? play.paused : false;
  const step = (by: number): void => seek(here.at + by);
  const keys = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = event.shiftKey ? 10 : 1;
    const speed = play?.speed ?? 1;
    const done = {
      ArrowLeft: () => step(-by), ArrowRight: () => step(by), Home: () => seek(here.from), End: () => (here.playing ? seek(here.to) : live()), " ": pause,
      ",": () => void act("play", { step: -1 }), ".": () => void act("play", { step: 1 }), "<": () => setSpeed(speed, -1), ">": () => setSpeed(speed, 1), b: bookmark,
    }[event.key];
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
    if (!off) done();
  };
  const setSpeed = (speed: number, by: number): void => {
    const at = SPEEDS.indexOf(speed);
    const to = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (at < 0 ? 3 : at) + by))];
    if (to !== undefined) void act("play", { speed: to });
  };
  const bookmark = (): void => void act("mark", { t: here.at, text: "" }).then((done) => { if (done) toast(T.time.marked); });
  const text = here.live ? T.time.live : here.playing ? `${minutes(here.at - here.from)} / ${minutes(here.to - here.from)}` : `−${minutes(Math.max(0, now.value - here.at))}`;
  return (
    <section class="time" aria-label={T.time.title}>
      <Button icon={here.live || !paused ? "pause" : "play"} label={here.live ? T.time.lookBack : paused ? T.time.play : T.time.pause} text={false} off={off} keys="Space" onClick={pause} />
      <Button icon="left" label={T.time.before} text={false} off={off} keys="[" onClick={() => match(-1)} />
      <Button icon="right" label={T.time.after} text={false} off={off} keys="]" onClick={() => match(1)} />
      <div
        class="line" role="slider" tabIndex={0} aria-label={T.time.position} aria-valuemin={Math.floor(here.from)} aria-valuemax={Math.ceil(here.to)} aria-valuenow={Math.round(here.at)}
        aria-valuetext={`${text}, ${clock(here.at)}`} aria-disabled={off ? true : undefined} onKeyDown={keys}
      >
        <Density from={here.from} to={here.to} at={here.at} live={here.live} onSeek={seek} />
      </div>
      <span class={`at ${here.live ? "live" : "behind"}`}>{text}</span>
      {!here.live && !here.playing && <Button label={T.time.back} kind="main" onClick={live} />}
      {here.playing && <Select label={T.time.speed} hidden value={String(play?.speed ?? 1)} of={SPEEDS.map((each): [string, string] => [String(each), `${each}×`])} onChange={(to) => void act("play", { speed: Number(to) })} />}
      {here.playing && <Button icon="save" label={T.exports.button} text={false} off={readOnly.value ? T.readOnly : null} onClick={save} />}
      <Button icon="mark" label={T.time.mark} text={false} off={off} onClick={bookmark} />
      {play?.notice && <span class="hint warn notice">{play.notice}</span>}
      {packetsView.value.filter && <span class="hidden">{T.time.matches(packetsView.value.filter)}</span>}
    </section>
  );
}

// Bins: in, out, chats, joins, leaves, lost, reconnects.
function Density({ from, to, at, live, onSeek }: { from: number; to: number; at: number; live: boolean; onSeek(t: number): void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const hover = useSignal<number | null>(null);
  const tall = useSignal(0);
  useEffect(() => {
    const element = canvas.current!;
    return watchSize(element, () => { tall.value = element.clientWidth; });
  }, []);
  const told = time.value;
  useEffect(() => {
    const element = canvas.current!;
    const dpr = Math.min(devicePixelRatio || 1, 2), wide = element.clientWidth, high = element.clientHeight;
    element.width = wide * dpr;
    element.height = high * dpr;
    const context = element.getContext("2d")!;
    context.scale(dpr, dpr);
    const style = getComputedStyle(document.documentElement);
    const read = (name: string): string => style.getPropertyValue(name).trim();
    const x = (t: number): number => ((t - from) / Math.max(to - from, 1e-6)) * wide;
    if (told) {
      const most = Math.max(1, ...told.bins.map((bin) => (bin[0] ?? 0) + (bin[1] ?? 0)));
      const width = Math.max(1, (told.step / Math.max(to - from, 1e-6)) * wide - 0.5);
      told.bins.forEach((bin, i) => {
        const left = x(told.start + i * told.step);
        if (left < -width || left > wide) return;
        const into = ((bin[0] ?? 0) / most) * (high - 12), out = ((bin[1] ?? 0) / most) * (high - 12);
        context.fillStyle = read("--hue0");
        context.globalAlpha = 0.55;
        context.fillRect(left, high - into, width, into);
        context.fillStyle = read("--hue1");
        context.fillRect(left, high - into - out, width, out);
        context.globalAlpha = 1;
        if (bin[2]) { context.fillStyle = read("--accent"); context.beginPath(); context.arc(left + width / 2, 5, 2, 0, 7); context.fill(); }
        if (bin[3] || bin[4]) { context.fillStyle = read("--dim"); context.fillRect(left, 3, 1.5, 4); }
        if (bin[5]) { context.fillStyle = read("--bad"); context.fillRect(left, high - 3, Math.max(width, 2), 3); }
        if (bin[6]) { context.fillStyle = read("--warn"); context.fillRect(left, 0, 2, high); }
      });
    }
    context.fillStyle = read("--warn");
    for (const mark of marks.value) {
      const left = x(mark.t);
      context.beginPath();
      context.moveTo(left - 4, 0); context.lineTo(left + 4, 0); context.lineTo(left, 7);
      context.fill();
    }
    if (!live) {
      context.fillStyle = read("--text");
      context.fillRect(Math.round(x(at)) - 1, 0, 2, high);
    }
  }, [told, from, to, at, live, marks.value, painted.value, tall.value]);
  const when = (event: PointerEvent): number => from + (Math.max(0, Math.min(event.offsetX, canvas.current!.clientWidth)) / canvas.current!.clientWidth) * (to - from);
  return (
    <>
      <canvas
        ref={canvas} aria-hidden="true" onPointerLeave={() => { hover.value = null; }} onPointerMove={(event) => { hover.value = when(event); if (event.buttons & 1) onSeek(when(event)); }}
        onPointerDown={(event) => { if (event.button === 0) onSeek(when(event)); }}
      />
      {hover.value !== null && <span class="hover" aria-hidden="true" style={{ left: `${(((hover.value - from) / (to - from)) * 100).toFixed(2)}%` }}>{clock(hover.value)}</span>}
    </>
  );
}
