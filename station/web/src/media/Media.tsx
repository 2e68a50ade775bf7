// Tracks: who sends sound or pictures, to be listened to, watched, and a tone of our own.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { T } from "../texts.ts";
import { Button, Empty } from "../parts/ui.tsx";
import { Name, Word } from "../parts/words.tsx";
import { act } from "../state/link.ts";
import { peersVersion, readOnly, session } from "../state/store.ts";
import { listening, watching } from "../state/views.ts";
import { alone, away, deafen, levels, listen, look, solo, tracksOf, volume, volumes, watch } from "./ear.ts";

const M = T.media;

export function Media() {
  peersVersion.value;
  const tracks = tracksOf();
  return (
    <section class="media scroll" aria-label={T.tabs.media}>
      {tracks.length === 0 ? <Empty title={M.empty}><p>{M.emptyMore}</p></Empty> : <ul class="tracks">{tracks.map((track) => <Card key={track.sid} track={track} />)}</ul>}
      <Speak />
    </section>
  );
}

function Card({ track }: { track: ReturnType<typeof tracksOf>[number] }) {
  const { sid } = track;
  const audio = track.kind === "audio";
  const on = audio ? listening.value.includes(sid) : watching.value.includes(sid);
  const off = session.value.can["subscribe"] ?? null;
  const level = Math.min(1, (levels.value[sid] ?? 0) * 3);
  return (
    <li class={`card${on ? " on" : ""}`}>
      <div class="bar"><Name id={track.peer} name={track.name} /><span class="grow" /><span class="badge">{track.source}</span>{track.muted && <span class="badge">{M.muted}</span>}</div>
      {track.title && <p class="dim"><Word text={track.title} limit={60} /></p>}
      {!audio && on && <Picture sid={sid} />}
      {audio && on && <meter class="level" min={0} max={1} value={level} aria-label={M.level} />}
      <div class="buttons">
        {audio
          ? <Button icon="sound" label={on ? M.deafen : M.listen} pressed={on} off={off} onClick={() => { if (on) deafen(sid); else void listen(sid); }} />
          : <Button icon="camera" label={on ? M.away : M.watch} pressed={on} off={off} onClick={() => { if (on) away(sid); else void watch(sid); }} />}
        {audio && on && (
          <>
            <label class="volume"><span class="hidden">{M.volume}</span><input type="range" min={0} max={1} step={0.05} value={volumes.value[sid] ?? 1} onInput={(event) => volume(sid, Number(event.currentTarget.value))} /></label>
            <Button label={M.solo} pressed={solo.value === sid} onClick={() => alone(solo.value === sid ? null : sid)} />
          </>
        )}
      </div>
    </li>
  );
}

function Picture({ sid }: { sid: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => { look(sid, canvas.current); return () => look(sid, null); }, [sid]);
  return <canvas ref={canvas} class="picture" role="img" aria-label={M.picture} width={320} height={180} />;
}

function Speak() {
  const hz = useSignal(440);
  const seconds = useSignal(3);
  const off = readOnly.value ? T.readOnly : (session.value.can["publish"] ?? null);
  return (
    <section class="card speak">
      <h3>{M.speak}</h3>
      <p class="dim">{off ?? M.speakMore}</p>
      <div class="form across">
        <label class="field"><span class="label">{M.hz}</span><input type="number" min={50} max={4000} value={hz.value} onInput={(event) => { hz.value = Number(event.currentTarget.value) || 440; }} /></label>
        <label class="field"><span class="label">{M.seconds}</span><input type="number" min={1} max={60} value={seconds.value} onInput={(event) => { seconds.value = Number(event.currentTarget.value) || 3; }} /></label>
        <Button icon="mic" label={M.tone} off={off} onClick={() => void act("publish", { kind: "tone", hz: hz.value, seconds: seconds.value })} />
      </div>
    </section>
  );
}
