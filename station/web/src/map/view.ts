// The map at work: it draws while something moves, and hears the pointer and the keys.
import { effect } from "@preact/signals";
import { calm, labels, painted, still } from "../state/settings.ts";
import { ended, following, peers, selected, session } from "../state/store.ts";
import { act } from "../state/link.ts";
import { watchSize } from "../parts/size.ts";
import { Camera } from "./camera.ts";
import { draw, type Seen } from "./draw.ts";
import { motion, spot } from "./motion.ts";
import { palette, Sprites } from "./sprites.ts";

export interface Tip { slot: number; x: number; y: number }
const REACH = 16, SMOOTH = 500;

export class MapView {
  readonly camera = new Camera();
  #canvas: HTMLCanvasElement;
  #context: CanvasRenderingContext2D;
  #colours = palette();
  #sprites: Sprites;
  #dpr = 1;
  #seen: Seen[] = [];
  #hovered: number | null = null;
  #goal: [number, number] | null = null;
  #fitted = false;
  #moved = false;
  #frame = 0;
  #last = 0;
  #tip: (tip: Tip | null) => void;
  #insight: (count: number) => void;
  #said = -1;
  #pointers = new Map<number, [number, number]>();
  #pressed: { x: number; y: number; dragged: boolean } | null = null;
  #undo: (() => void)[] = [];
  /** Milliseconds of script of the last frames: what the load test reads. */
  readonly spent: number[] = [];

  constructor(canvas: HTMLCanvasElement, tip: (tip: Tip | null) => void, insight: (count: number) => void) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false })!;
    this.#tip = tip;
    this.#insight = insight;
    this.#sprites = new Sprites(this.#colours, 1);
    this.#undo.push(watchSize(canvas, () => this.#resize()));
    this.#undo.push(effect(() => {
      painted.value;
      requestAnimationFrame(() => this.#repaint());
    }));
    this.#undo.push(effect(() => { if (session.value.state === "opening") this.#fitted = this.#moved = false; }));
    const heard: [string, (event: never) => void][] = [
      ["pointerdown", (event: PointerEvent) => this.#down(event)], ["pointermove", (event: PointerEvent) => this.#move(event)],
      ["pointerup", (event: PointerEvent) => this.#up(event)], ["pointercancel", (event: PointerEvent) => this.#up(event)],
      ["pointerleave", () => this.#hover(null)], ["wheel", (event: WheelEvent) => this.#wheel(event)],
    ];
    for (const [name, hear] of heard) canvas.addEventListener(name, hear as EventListener, { passive: false });
    this.#frame = requestAnimationFrame(this.#turn);
  }

  end(): void {
    cancelAnimationFrame(this.#frame);
    for (const undo of this.#undo) undo();
  }

  fit(): void {
    const all: [number, number][] = [], at = spot(), now = motion.now();
    for (const slot of motion.slots) if (motion.at(slot, now, false, at)) all.push([at.x, at.z]);
    this.camera.fit(all);
    this.#moved = true;
    following.value = false;
  }

  centre(slot: number): void {
    const at = spot();
    if (!motion.at(slot, motion.now(), false, at)) return;
    this.camera.x = at.x;
    this.camera.z = at.z;
    this.camera.scale = Math.max(this.camera.scale, 2);
    this.#moved = true;
  }

  zoom(factor: number): void {
    this.camera.zoom(factor);
    this.#moved = true;
  }

  goal(at: [number, number] | null): void {
    this.#goal = at;
  }

  /** Who is in sight and where, as JSON: what the tests look at. */
  told(): string {
    return JSON.stringify(this.#seen.map(({ x, y, peer }) => ({ id: peer.id, x, y })));
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.#canvas;
    this.#dpr = Math.min(devicePixelRatio || 1, 2);
    this.camera.wide = Math.max(1, clientWidth);
    this.camera.tall = Math.max(1, clientHeight);
    this.#canvas.width = Math.round(clientWidth * this.#dpr);
    this.#canvas.height = Math.round(clientHeight * this.#dpr);
    this.#repaint();
  }

  #repaint(): void {
    this.#colours = palette();
    this.#sprites = new Sprites(this.#colours, this.#dpr);
    this.#last = 0;
  }

  #turn = (at: number): void => {
    this.#frame = requestAnimationFrame(this.#turn);
    const quiet = calm.peek() || still.peek();
    if (quiet && at - this.#last < SMOOTH) return;
    this.#last = at;
    const began = performance.now();
    this.#aim();
    this.#seen = draw({
      context: this.#context, camera: this.camera, colours: this.#colours, sprites: this.#sprites, dpr: this.#dpr, peers, selected: selected.peek(),
      hovered: this.#hovered, labels: labels.peek(), smooth: !quiet, goal: this.#goal,
      greyed: ended.peek() || session.peek().state === "closed",
    });
    this.spent.push(performance.now() - began);
    if (this.spent.length > 1200) this.spent.shift();
    const others = this.#seen.filter((each) => each.peer.kind !== "me").length;
    if (others !== this.#said) this.#insight(this.#said = others);
    const over = this.#seen.find((each) => each.slot === this.#hovered);
    if (this.#hovered !== null) this.#tip(over ? { slot: over.slot, x: over.x, y: over.y } : null);
  };

  // Until somebody took hold of the map it shows everybody; when asked to, it stays with one.
  #aim(): void {
    const at = spot(), now = motion.now();
    if (following.peek()) {
      for (const [slot, peer] of peers) {
        if (peer.id !== selected.peek() || !motion.at(slot, now, true, at)) continue;
        this.camera.x = at.x;
        this.camera.z = at.z;
      }
    } else if (!this.#moved && this.camera.wide > 1 && motion.slots.size && (!this.#fitted || motion.slots.size > 1)) {
      const all: [number, number][] = [];
      for (const slot of motion.slots) if (motion.at(slot, now, false, at)) all.push([at.x, at.z]);
      const out = all.some(([x, z]) => {
        const [px, py] = this.camera.toScreen(x, z);
        return px < 12 || py < 12 || px > this.camera.wide - 12 || py > this.camera.tall - 12;
      });
      if (!this.#fitted || out) this.camera.fit(all);
      this.#fitted = true;
    }
    if (this.#goal) {
      const me = session.peek().slot;
      if (motion.at(me, now, false, at) && Math.hypot(at.x - this.#goal[0], at.z - this.#goal[1]) < 0.6) this.#goal = null;
    }
  }

  #nearest(x: number, y: number): Seen | null {
    let best: Seen | null = null, least = REACH;
    for (const each of this.#seen) {
      const far = Math.hypot(each.x - x, each.y - y);
      if (far < least) [best, least] = [each, far];
    }
    return best;
  }

  #hover(slot: number | null): void {
    if (slot === this.#hovered) return;
    this.#hovered = slot;
    this.#canvas.classList.toggle("over", slot !== null);
    if (slot === null) this.#tip(null);
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return;
    try { this.#canvas.setPointerCapture(event.pointerId); } catch { return; }
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.#pressed = { x: event.offsetX, y: event.offsetY, dragged: this.#pointers.size > 1 };
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return this.#hover(this.#nearest(event.offsetX, event.offsetY)?.slot ?? null);
    const pressed = this.#pressed;
    if (pressed && !pressed.dragged && Math.hypot(event.offsetX - pressed.x, event.offsetY - pressed.y) < 4) return;
    if (pressed) pressed.dragged = true;
    this.#moved = true;
    following.value = false;
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    const other = others[0]?.[1];
    if (other) {
      const was = Math.hypot(before[0] - other[0], before[1] - other[1]), is = Math.hypot(event.offsetX - other[0], event.offsetY - other[1]);
      this.camera.zoom(is / Math.max(was, 1), other[0], other[1]);
    } else this.camera.pan(event.offsetX - before[0], event.offsetY - before[1]);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  }

  #up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId) || event.type === "pointercancel") return;
    const pressed = this.#pressed;
    if (!pressed || pressed.dragged) return;
    this.#pressed = null;
    // With Shift it is the place that is meant, whoever stands there.
    const hit = event.shiftKey ? null : this.#nearest(event.offsetX, event.offsetY);
    if (hit && hit.peer.kind !== "me") selected.value = hit.peer.id;
    else if (!hit) this.#ground(event);
  }

  #ground(event: PointerEvent): void {
    if (session.peek().can["walk"]) return;
    const at = spot();
    const y = motion.at(session.peek().slot, motion.now(), false, at) ? at.y : 0;
    const [x, z] = this.camera.toWorld(event.offsetX, event.offsetY);
    if (event.shiftKey) void act("move", { position: [x, y, z], instant: true });
    else {
      this.#goal = [x, z];
      void act("walk", { point: [x, y, z], pace: "jog" }).then((done) => { if (!done) this.#goal = null; });
    }
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    this.camera.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.offsetX, event.offsetY);
    this.#moved = true;
  }
}
