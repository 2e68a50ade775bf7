// One picture of the map: ground, parcels, trails, peers, labels, scale.
import type { Peer } from "../wire/protocol.ts";
import { ELSEWHERE, SPEAKING } from "../wire/frames.ts";
import { hue } from "../parts/words.tsx";
import type { Camera } from "./camera.ts";
import { motion, spot, STALE } from "./motion.ts";
import { SIZE, type Look, type Palette, type Sprites } from "./sprites.ts";

export const PARCEL = 16;
const LABELS = 60;

export interface Seen { slot: number; x: number; y: number; peer: Peer }
export interface Scene {
  context: CanvasRenderingContext2D; camera: Camera; colours: Palette; sprites: Sprites; dpr: number;
  peers: Map<number, Peer>; selected: string | null; hovered: number | null; labels: boolean; smooth: boolean; greyed: boolean;
  goal: [number, number] | null;
}

const here = spot();

/** Draws it; gives who is in sight, and where on the canvas. */
export function draw(scene: Scene): Seen[] {
  const { context, camera, colours, dpr } = scene;
  context.setTransform(dpr, 0, 0, dpr, 0, 0);
  context.globalAlpha = 1;
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, camera.wide, camera.tall);
  const now = motion.now();
  const seen = inSight(scene, now);
  island(scene, seen);
  ground(scene);
  trails(scene, seen);
  if (scene.goal) goal(scene, scene.goal);
  const speaking = people(scene, seen, now);
  if (scene.labels) labels(scene, seen, speaking);
  ruler(scene);
  return seen;
}

function ground({ context, camera, colours }: Scene): void {
  const [west, north] = camera.toWorld(0, 0), [east, south] = camera.toWorld(camera.wide, camera.tall);
  let step = PARCEL;
  while (step * camera.scale < 26) step *= 4;
  const fine = step * camera.scale;
  context.lineWidth = 1;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  const lines = (from: number, to: number, vertical: boolean): void => {
    for (let at = Math.floor(from / step) * step; at <= to; at += step) {
      const [px, py] = camera.toScreen(at, at);
      const parcel = Math.round(at / PARCEL);
      context.strokeStyle = parcel === 0 ? colours.axis : colours.line;
      context.globalAlpha = parcel % 10 === 0 || step > PARCEL ? 1 : 0.55;
      context.beginPath();
      if (vertical) { context.moveTo(Math.round(px) + 0.5, 0); context.lineTo(Math.round(px) + 0.5, camera.tall); }
      else { context.moveTo(0, Math.round(py) + 0.5); context.lineTo(camera.wide, Math.round(py) + 0.5); }
      context.stroke();
      const every = fine > 64 ? 1 : 2;
      if (Math.round(at / step) % every) continue;
      context.globalAlpha = 0.9;
      context.fillStyle = colours.dim;
      if (vertical) context.fillText(String(parcel), Math.round(px) + 4, 4);
      else context.fillText(String(parcel), 5, Math.round(py) - 14);
    }
  };
  lines(west, east, true);
  lines(south, north, false);
  context.globalAlpha = 1;
}

function inSight(scene: Scene, now: number): Seen[] {
  const { camera, peers, smooth } = scene;
  const seen: Seen[] = [];
  for (const slot of motion.slots) {
    const peer = peers.get(slot);
    if (!peer || peer.kind === "server" || !motion.at(slot, now, smooth, here)) continue;
    const [x, y] = camera.toScreen(here.x, here.z);
    if (x > -40 && y > -40 && x < camera.wide + 40 && y < camera.tall + 40) seen.push({ slot, x, y, peer });
  }
  return seen;
}

// Who shares our island, as a soft hull: it is what one can hear.
function island({ context, colours }: Scene, seen: Seen[]): void {
  const ours = seen.filter((each) => each.peer.rooms.includes("island"));
  if (ours.length < 3) return;
  const points = hull(ours.map((each) => [each.x, each.y] as [number, number]));
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.lineJoin = "round";
  context.lineWidth = 56;
  context.strokeStyle = context.fillStyle = colours.island;
  context.stroke();
  context.fill();
}

function hull(points: [number, number][]): [number, number][] {
  const sorted = points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (all: [number, number][]): [number, number][] => {
    const out: [number, number][] = [];
    for (const p of all) {
      for (;;) {
        const a = out[out.length - 2], b = out[out.length - 1];
        if (!a || !b || (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0) break;
        out.pop();
      }
      out.push(p);
    }
    return out.slice(0, -1);
  };
  return [...half(sorted), ...half([...sorted].reverse())];
}

function trails(scene: Scene, seen: Seen[]): void {
  const { context, camera, colours, selected } = scene;
  context.lineJoin = context.lineCap = "round";
  for (const { slot, x, y, peer } of seen.slice(0, 51)) {
    const trail = motion.trail(slot);
    if (trail.length < 2) continue;
    const mine = peer.id === selected;
    context.strokeStyle = peer.kind === "me" ? colours.accent : (colours.hues[hue(peer.id)] ?? colours.dim);
    context.globalAlpha = mine ? 0.85 : 0.25;
    context.lineWidth = mine ? 2 : 1.5;
    context.beginPath();
    for (let i = 0; i < trail.length; i += 2) {
      const [px, py] = camera.toScreen(trail[i]!, trail[i + 1]!);
      if (i) context.lineTo(px, py); else context.moveTo(px, py);
    }
    context.lineTo(x, y);
    context.stroke();
  }
  context.globalAlpha = 1;
}

function goal({ context, camera, colours }: Scene, [gx, gz]: [number, number]): void {
  const [x, y] = camera.toScreen(gx, gz);
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 6, y - 6); context.lineTo(x + 6, y + 6);
  context.moveTo(x + 6, y - 6); context.lineTo(x - 6, y + 6);
  context.stroke();
}

function people(scene: Scene, seen: Seen[], now: number): Set<number> {
  const { context, colours, sprites, selected, hovered, smooth, greyed } = scene;
  const speaking = new Set<number>();
  const order = [...seen].sort((a, b) => rank(a.peer, selected) - rank(b.peer, selected));
  for (const { slot, x, y, peer } of order) {
    motion.at(slot, now, smooth, here);
    const elsewhere = peer.pulse || (here.flags & ELSEWHERE) !== 0;
    const look: Look = peer.kind === "me" ? "me" : elsewhere ? "hollow" : peer.kind === "bot" ? "bot" : here.kind === 3 ? "other" : "player";
    context.globalAlpha = greyed ? 0.5 : here.age > STALE * 10 && peer.kind !== "me" ? 0.55 : 1;
    context.drawImage(sprites.peer(look, sprites.of(peer).hue, here.yaw), x - SIZE / 2, y - SIZE / 2, SIZE, SIZE);
    if (peer.speaking || here.flags & SPEAKING) {
      speaking.add(slot);
      ring(context, x, y, 15, colours.warn, 2, [4, 3]);
    }
    if (peer.id === selected) ring(context, x, y, 17, colours.text, 2, []);
    else if (slot === hovered) ring(context, x, y, 17, colours.dim, 1.5, []);
  }
  context.globalAlpha = 1;
  return speaking;
}

function rank(peer: Peer, selected: string | null): number {
  return peer.id === selected ? 2 : peer.kind === "me" ? 1 : 0;
}

function ring(context: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string, wide: number, dash: number[]): void {
  context.strokeStyle = colour;
  context.lineWidth = wide;
  context.setLineDash(dash);
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
  context.setLineDash([]);
}

// At most 60, those that matter first; one that would lie over another is left out.
function labels(scene: Scene, seen: Seen[], speaking: Set<number>): void {
  const { context, camera, sprites, selected, hovered } = scene;
  const weight = (each: Seen): number => {
    if (each.peer.id === selected) return -4e9;
    if (each.slot === hovered) return -3e9;
    if (each.peer.kind === "me") return -2e9;
    if (speaking.has(each.slot)) return -1e9;
    return (each.x - camera.wide / 2) ** 2 + (each.y - camera.tall / 2) ** 2;
  };
  const order = seen.map((each) => ({ each, at: weight(each) })).sort((a, b) => a.at - b.at);
  const taken: [number, number, number][] = [];
  for (const { each, at } of order) {
    if (taken.length >= LABELS) break;
    const text = sprites.of(each.peer).name;
    const wide = sprites.wide(text, at < 0), x = Math.round(each.x - wide / 2), y = Math.round(each.y + 15);
    if (at > -2e9 && taken.some(([tx, ty, tw]) => Math.abs(ty - y) < 15 && x < tx + tw && tx < x + wide)) continue;
    taken.push([x, y, wide]);
    context.drawImage(sprites.label(text, at < 0), x, y, wide, 18);
  }
}

function ruler({ context, camera, colours }: Scene): void {
  let metres = 1;
  for (const step of [1, 2, 4, 8, 16, 32, 80, 160, 320, 800, 1600, 3200, 8000]) if (step * camera.scale <= 120) metres = step;
  const wide = metres * camera.scale, x = camera.wide - wide - 14, y = camera.tall - 14;
  context.strokeStyle = colours.dim;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y - 5); context.lineTo(x, y); context.lineTo(x + wide, y); context.lineTo(x + wide, y - 5);
  context.stroke();
  context.fillStyle = colours.dim;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.textAlign = "center";
  context.fillText(metres % PARCEL === 0 ? `${metres} m · ${metres / PARCEL} p` : `${metres} m`, x + wide / 2, y - 5);
  context.textAlign = "left";
}
