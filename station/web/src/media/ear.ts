// Sound and pictures of the tracks that are listened to or watched: the Station subscribes to what the view names.
import { effect, signal } from "@preact/signals";
import { picture, sound } from "../wire/frames.ts";
import { onMedia } from "../state/link.ts";
import { media, peers, toast } from "../state/store.ts";
import { listening, trackOf, watching } from "../state/views.ts";
import { T } from "../texts.ts";

interface Voice { node: AudioWorkletNode; gain: GainNode }
/** How loud each track is now, as what the audio thread played: 0 to 1. */
export const levels = signal<Record<string, number>>({});
export const volumes = signal<Record<string, number>>({});
export const solo = signal<string | null>(null);
let context: AudioContext | null = null;
const voices = new Map<string, Voice>();
const canvases = new Map<string, HTMLCanvasElement>();

function loud(): void {
  for (const [sid, voice] of voices) voice.gain.gain.value = solo.value !== null && solo.value !== sid ? 0 : (volumes.value[sid] ?? 1);
}

async function voice(sid: string): Promise<void> {
  if (!context) {
    context = new AudioContext({ sampleRate: 48_000 });
    await context.audioWorklet.addModule("sound.js");
  }
  await context.resume();
  const node = new AudioWorkletNode(context, "station-sound", { numberOfInputs: 0, outputChannelCount: [1] });
  const gain = context.createGain();
  node.port.onmessage = (message: MessageEvent<number>) => { levels.value = { ...levels.value, [sid]: message.data }; };
  node.connect(gain).connect(context.destination);
  voices.set(sid, { node, gain });
  loud();
}

export async function listen(sid: string): Promise<void> {
  try {
    await voice(sid);
  } catch (error) {
    context = null;
    return toast(T.media.noWorklet(String(error)), "error");
  }
  if (!listening.value.includes(sid)) listening.value = [...listening.value, sid];
}

export function deafen(sid: string): void {
  listening.value = listening.value.filter((each) => each !== sid);
  const gone = voices.get(sid);
  gone?.gain.disconnect();
  gone?.node.port.postMessage(null);
  voices.delete(sid);
  if (solo.value === sid) alone(null);
  levels.value = { ...levels.value, [sid]: 0 };
}

export function volume(sid: string, value: number): void {
  volumes.value = { ...volumes.value, [sid]: value };
  loud();
}

export function alone(sid: string | null): void {
  solo.value = sid;
  loud();
}

export function watch(sid: string): void {
  watching.value = [...watching.value, sid];
}

export function look(sid: string, canvas: HTMLCanvasElement | null): void {
  if (canvas) canvases.set(sid, canvas); else canvases.delete(sid);
}

export function away(sid: string): void {
  watching.value = watching.value.filter((each) => each !== sid);
}

// What is gone is not listened to any more; another track of the same peer is another one.
effect(() => {
  for (const { sid, state } of media.value.tracks) {
    if (state !== "gone") continue;
    if (listening.peek().includes(sid)) deafen(sid);
    if (watching.peek().includes(sid)) away(sid);
  }
});

onMedia("audio", (data) => {
  const told = sound(data);
  const sid = told && trackOf("audio", told.track);
  if (told && sid) voices.get(sid)?.node.port.postMessage(told.samples.slice());
});

onMedia("video", (data) => {
  const told = picture(data);
  const sid = told && trackOf("video", told.track);
  const canvas = sid ? canvases.get(sid) : undefined;
  if (!told || !canvas) return;
  const { width, height, turns } = told;
  const frame = new VideoFrame(told.planes, { format: "I420", codedWidth: width, codedHeight: height, timestamp: 0 });
  [canvas.width, canvas.height] = turns % 2 ? [height, width] : [width, height];
  const brush = canvas.getContext("2d");
  brush?.translate(canvas.width / 2, canvas.height / 2);
  brush?.rotate((turns * Math.PI) / 2);
  brush?.drawImage(frame, -width / 2, -height / 2);
  frame.close();
});

export function tracksOf(): { peer: string; name: string; sid: string; kind: string; source: string; muted: boolean; title: string }[] {
  const out = [];
  for (const peer of peers.values()) for (const track of peer.tracks) out.push({ peer: peer.id, name: peer.name, sid: track.sid, kind: track.kind, source: track.source, muted: track.muted, title: track.name });
  return out;
}
