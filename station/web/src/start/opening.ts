// What was opened last, to try it again; in memory only, as a target may hold a secret.
import { signal } from "@preact/signals";
import { failure, link } from "../state/link.ts";
import { recent } from "../state/settings.ts";
import type { Failure } from "../wire/protocol.ts";

export const lastOpened = signal<Record<string, unknown> | null>(null);
export const who = signal(0);
export const at = signal<[number, number]>([8, 8]);
export const withMedia = signal(false);
export const scene = signal({ id: "", x: 0, z: 0 });

/** Opens it; what refused it, or null.  Only what has no secret in it is remembered. */
export async function open(args: Record<string, unknown>, remember?: string): Promise<Failure | null> {
  const whole = { ...args, ...(withMedia.value ? { media: true } : {}), wallet: who.value, at: [at.value[0], 0, at.value[1]], ...(scene.value.id ? { scene: { id: scene.value.id, parcel: [scene.value.x, scene.value.z] } } : {}) };
  lastOpened.value = whole;
  try {
    await link.ask("open", whole);
  } catch (error) {
    return failure(error);
  }
  if (remember) recent.value = [remember, ...recent.value.filter((each) => each !== remember)].slice(0, 6);
  return null;
}
