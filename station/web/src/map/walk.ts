// Arrows walk while they are held: a new place a little ahead a few times a second, and a halt when they are let go.
import { act } from "../state/link.ts";
import { session } from "../state/store.ts";
import { motion, spot } from "./motion.ts";

const WAYS: Record<string, [number, number]> = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const EVERY = 250, AHEAD = 6;

export class Walker {
  #held = new Set<string>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #run = false;

  /** True where the key is one of ours. */
  down(event: KeyboardEvent): boolean {
    if (!(event.key in WAYS)) return false;
    this.#run = event.shiftKey;
    if (!event.repeat) this.#held.add(event.key);
    if (this.#held.size && !this.#timer && !session.peek().can["walk"]) {
      this.#step();
      this.#timer = setInterval(() => this.#step(), EVERY);
    }
    return true;
  }

  up(event: KeyboardEvent): void {
    this.#held.delete(event.key);
    if (!this.#held.size) this.end();
  }

  end(): void {
    this.#held.clear();
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
    void act("walk", { stand: true });
  }

  #step(): void {
    const at = spot();
    if (!motion.at(session.peek().slot, motion.now(), false, at)) return;
    let [east, north] = [0, 0];
    for (const key of this.#held) {
      east += WAYS[key]?.[0] ?? 0;
      north += WAYS[key]?.[1] ?? 0;
    }
    const far = Math.hypot(east, north);
    if (far) void act("walk", { point: [at.x + (east / far) * AHEAD, at.y, at.z + (north / far) * AHEAD], pace: this.#run ? "run" : "jog" });
  }
}
