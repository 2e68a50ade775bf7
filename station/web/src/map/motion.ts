// Where everybody is: the last two places of each slot, and what is between them.
import { GROUNDED, INSTANT } from "../wire/frames.ts";

const LATE = 0.12, BEYOND = 0.25, TRAIL = 20;
export const STALE = 3;

// One row of numbers a slot: t0 x0 z0 yaw0 t1 x1 z1 yaw1 y speed flags kind
const WIDE = 12;

export class Motion {
  #rows = new Float64Array(256 * WIDE);
  #there = new Set<number>();
  #trails = new Map<number, number[]>();
  /** Seconds that frames' clock is ahead of performance.now(), smoothed. */
  #ahead: number | null = null;

  arrived(t: number): void {
    const ahead = t - performance.now() / 1000;
    if (this.#ahead === null || Math.abs(ahead - this.#ahead) > 2) this.#ahead = ahead;
    else this.#ahead += (ahead - this.#ahead) * (ahead > this.#ahead ? 0.2 : 0.02);
  }

  place(slot: number, flags: number, kind: number, x: number, y: number, z: number, yaw: number, speed: number, t: number): void {
    if (!Number.isFinite(x + y + z)) return;
    const at = slot * WIDE;
    if (at + WIDE > this.#rows.length) {
      const more = new Float64Array(Math.max((slot + 64) * WIDE, this.#rows.length * 2));
      more.set(this.#rows);
      this.#rows = more;
    }
    const rows = this.#rows;
    const far = Math.hypot(x - rows[at + 5]!, z - rows[at + 6]!) > 64;
    if (!this.#there.has(slot) || flags & INSTANT || far || t - rows[at + 4]! > 1.5 || t < rows[at + 4]!) {
      rows[at] = t; rows[at + 1] = x; rows[at + 2] = z; rows[at + 3] = yaw;
      if (far || flags & INSTANT) this.#trails.delete(slot);
    } else {
      rows[at] = rows[at + 4]!; rows[at + 1] = rows[at + 5]!; rows[at + 2] = rows[at + 6]!; rows[at + 3] = rows[at + 7]!;
    }
    rows[at + 4] = t; rows[at + 5] = x; rows[at + 6] = z; rows[at + 7] = yaw;
    rows[at + 8] = y; rows[at + 9] = speed; rows[at + 10] = flags; rows[at + 11] = kind;
    this.#there.add(slot);
    this.#walked(slot, x, z);
  }

  #walked(slot: number, x: number, z: number): void {
    const trail = this.#trails.get(slot) ?? [];
    const n = trail.length;
    if (n && Math.hypot(x - trail[n - 2]!, z - trail[n - 1]!) < 1) return;
    trail.push(x, z);
    if (trail.length > 2 * TRAIL) trail.splice(0, 2);
    this.#trails.set(slot, trail);
  }

  trail(slot: number): readonly number[] {
    return this.#trails.get(slot) ?? [];
  }

  forget(slot: number): void {
    this.#there.delete(slot);
    this.#trails.delete(slot);
  }

  clear(): void {
    this.#there.clear();
    this.#trails.clear();
    this.#ahead = null;
  }

  get slots(): ReadonlySet<number> {
    return this.#there;
  }

  /** The frames' clock now. */
  now(): number {
    return performance.now() / 1000 + (this.#ahead ?? 0);
  }

  /** Where the slot is drawn at this time, into `out`; false where it told no place. */
  at(slot: number, t: number, smooth: boolean, out: Spot): boolean {
    if (!this.#there.has(slot)) return false;
    const rows = this.#rows, at = slot * WIDE;
    const t0 = rows[at]!, t1 = rows[at + 4]!;
    let part = 1;
    if (smooth && t1 > t0) {
      // A little beyond the last place while the next one is awaited; where none comes, back to it.
      const over = t - LATE - t1;
      if (over <= 0) part = Math.max(0, (t - LATE - t0) / (t1 - t0));
      else part = 1 + Math.min(Math.max(0, over < BEYOND ? over : 2 * BEYOND - over) / (t1 - t0), 1);
    }
    out.x = rows[at + 1]! + (rows[at + 5]! - rows[at + 1]!) * part;
    out.z = rows[at + 2]! + (rows[at + 6]! - rows[at + 2]!) * part;
    const turn = ((rows[at + 7]! - rows[at + 3]! + 540) % 360) - 180;
    out.yaw = rows[at + 3]! + turn * Math.min(part, 1);
    out.y = rows[at + 8]!;
    out.speed = rows[at + 9]!;
    out.flags = rows[at + 10]!;
    out.kind = rows[at + 11]!;
    out.age = t - t1;
    return true;
  }
}

export interface Spot { x: number; y: number; z: number; yaw: number; speed: number; flags: number; kind: number; age: number }
export const spot = (): Spot => ({ x: 0, y: 0, z: 0, yaw: 0, speed: 0, flags: GROUNDED, kind: 0, age: 0 });
export const motion = new Motion();
