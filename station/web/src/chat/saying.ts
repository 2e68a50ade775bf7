// What is about to be said, and to whom; here, so that a peer's sheet can fill it in.
import { signal } from "@preact/signals";

export const to = signal<string[]>([]);
export const text = signal("");
export const said: string[] = [];

export function whisper(id: string): void {
  to.value = [id];
  requestAnimationFrame(() => document.getElementById("say")?.focus());
}
