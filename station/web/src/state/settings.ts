// How the page looks, kept in localStorage: nothing secret is among it.
import { effect, signal, type Signal } from "@preact/signals";

function kept<Value>(name: string, fallback: Value): Signal<Value> {
  const key = `station.${name}`;
  let start = fallback;
  try {
    const text = localStorage.getItem(key);
    if (text !== null) start = JSON.parse(text) as Value;
  } catch {
    localStorage.removeItem(key);
  }
  const value = signal(start);
  let first = true;
  effect(() => {
    const text = JSON.stringify(value.value);
    if (!first) localStorage.setItem(key, text);
    first = false;
  });
  return value;
}

export type Tab = "map" | "chat" | "peers" | "packets" | "media" | "health" | "learn";
export const TABS: Tab[] = ["chat", "peers", "packets", "media", "health", "learn"];
export type Theme = "system" | "dark" | "light" | "contrast";

export const theme = kept<Theme>("theme", "system");
export const dense = kept("dense", false);
export const parcels = kept("parcels", false);
export const clock = kept<"local" | "utc" | "relative">("clock", "local");
export const calm = kept("calm", false);
export const labels = kept("labels", true);
export const split = kept("split", 46);
export const tab = kept<Tab>("tab", "chat");
export const favourites = kept<{ name: string; kind: string; fields: Record<string, unknown> }[]>("favourites", []);
export const recent = kept<string[]>("recent", []);

export const narrow = signal(innerWidth < 900);
addEventListener("resize", () => { narrow.value = innerWidth < 900; });

const reduced = matchMedia("(prefers-reduced-motion: reduce)");
export const still = signal(reduced.matches);
reduced.addEventListener("change", () => { still.value = reduced.matches; });

/** Bumped when colours changed: whoever draws on a canvas reads them again. */
export const painted = signal(0);
effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  document.documentElement.classList.toggle("dense", dense.value);
  document.documentElement.classList.toggle("calm", calm.value);
  painted.value = painted.peek() + 1;
});
for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
  matchMedia(query).addEventListener("change", () => { painted.value = painted.peek() + 1; });
}
