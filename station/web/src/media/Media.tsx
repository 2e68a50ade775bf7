// Tracks: who sends sound or pictures, to be listened to and watched; and a tone or a WAV of our own.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { T } from "../texts.ts";
import { Button, Empty } from "../parts/ui.tsx";
import { Name, Word } from "../parts/words.tsx";
import { act, sendPieces } from "../state/link.ts";
import { media, peersVersion, readOnly, session, toast } from "../state/store.ts";
import { open } from "../start/opening.ts";
import { listening, watching } from "../state/views.ts";
import { alone, away, deafen, levels, listen, look, solo, tracksOf, volume, volumes, watch } from "./ear.ts";

const M = T.media;
/** Names that say no more than what the track comes from. */
const PLAIN = ["mic", "microphone", "camera"];

export function Media() {
  peersVersion.value;
  const tracks = tracksOf();
  return (
    <section class="media scroll" aria-label={T.tabs.media}>
      <Mute />
      {tracks.length === 0 ? <Empty title={M.empty}><p>{M.emptyMore}</p></Empty> : <ul class="tracks">{tracks.map((track) => <Card key={track.sid} track={track} />)}</ul>}
      <Speak />
    </section>
  );
}

/** Why nothing can be heard here, and what helps. */
function Mute() {
  const mute = session.value.media;
  if (!mute) return null;
  return (
    <section class="card mute" aria-labelledby="mute">
      <h3 id="mute">{M.none}</h3>
      <p>{mute.why}.{mute.fix ? ` ${M.fix(mute.fix)}` : ""}</p>
      {mute.again && <div class="buttons"><Button icon="sound" kind="main" label={M.again} off={readOnly.value ? T.readOnly : null} onClick={() => void again()} /></div>}
    </section>
  );
}

async function again(): Promise<void> {
  const no = await open({ again: true, media: true });
  if (no) toast(no.text, "error");
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
      {track.title && !PLAIN.includes(track.title) && <p class="dim"><Word text={track.title} limit={60} /></p>}
      {!audio && on && <Picture sid={sid} />}
      {audio && on && <meter class="level" min={0} max={1} value={level} aria-label={M.level} />}
      {on && <Told sid={sid} />}
      <div class="buttons">
        {audio
          ? <Button icon="sound" label={on ? M.deafen : M.listen} pressed={on} off={off} onClick={() => { if (on) deafen(sid); else void listen(sid); }} />
          : <Button icon="camera" label={on ? M.away : M.watch} pressed={on} off={off} onClick={() => { if (on) away(sid); else watch(sid); }} />}
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

/** How it stands with a track: what comes, what was lost, why nothing does. */
function Told({ sid }: { sid: string }) {
  const told = media.value.tracks.find((each) => each.sid === sid);
  const said = told
    ? [M.states[told.state], told.text, told.format, told.dropped ? M.dropped(told.dropped) : "", told.missed ? M.missed(told.missed) : ""]
    : [M.states["waiting"]];
  return <p class={`told dim${told?.state === "failed" ? " failed" : ""}`} role="status">{said.filter(Boolean).join(" · ")}</p>;
}

function Picture({ sid }: { sid: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => { look(sid, canvas.current); return () => look(sid, null); }, [sid]);
  return <canvas ref={canvas} class="picture" role="img" aria-label={M.picture} width={320} height={180} />;
}

function Speak() {
  const hz = useSignal(440);
  const seconds = useSignal(3);
  const part = useSignal<number | null>(null);
  const picker = useRef<HTMLInputElement>(null);
  const off = readOnly.value ? T.readOnly : (session.value.can["publish"] ?? null);
  const now = media.value.speaking;
  const busy = now !== null && (now.state === "publishing" || now.state === "speaking");
  const play = async (file: File | undefined): Promise<void> => {
    if (!file || part.value !== null) return;
    part.value = 0;
    try {
      if (await act("upload", { sound: true, size: file.size })) {
        await sendPieces(0, file, (done) => { part.value = done; });
        await act("publish", { kind: "wav", name: file.name.slice(0, 100) });
      }
    } finally {
      part.value = null;
      if (picker.current) picker.current.value = "";
    }
  };
  return (
    <section class="card speak" aria-labelledby="speak">
      <h3 id="speak">{M.speak}</h3>
      <p class="dim">{off ?? M.speakMore}</p>
      <div class="form across">
        <label class="field"><span class="label">{M.hz}</span><input type="number" min={50} max={4000} value={hz.value} onInput={(event) => { hz.value = Number(event.currentTarget.value) || 440; }} /></label>
        <label class="field"><span class="label">{M.seconds}</span><input type="number" min={1} max={60} value={seconds.value} onInput={(event) => { seconds.value = Number(event.currentTarget.value) || 3; }} /></label>
        <input ref={picker} type="file" accept=".wav,audio/wav" class="hidden" tabIndex={-1} aria-label={M.chooseWav} onChange={(event) => void play(event.currentTarget.files?.[0])} />
        <div class="buttons">
          <Button icon="mic" label={M.tone} off={off} onClick={() => void act("publish", { kind: "tone", hz: hz.value, seconds: seconds.value })} />
          <Button icon="file" label={M.wav} off={off} onClick={() => picker.current?.click()} />
          {busy && <Button label={M.stop} onClick={() => void act("publish", { kind: "stop" })} />}
        </div>
      </div>
      {part.value !== null && <progress value={part.value} aria-label={M.sending} />}
      {now && (
        <p class={`said${now.state === "failed" ? " failed" : ""}`} role="status">
          {M.said[now.state]}{now.state === "publishing" ? "" : ` ${M.whats[now.what]}: ${now.state === "failed" ? now.text : M.of(now.at, now.seconds)}`}
        </p>
      )}
    </section>
  );
}
