// Which recording is being handed out, and how it was saved where it was made just now.
import { signal } from "@preact/signals";
import { link } from "../state/link.ts";

export interface Saved { n: number; name: string; bytes?: number; packets?: number; lost?: number }
export const exporting = signal<Saved | null>(null);

export interface Wanted { as: string; filter: string; redact: boolean }

/** Has the browser save it; gives its name and what is to be said of it.  Rejects with Refused. */
export async function download(n: number, { as, filter, redact }: Wanted): Promise<{ name: string; notice: string | null }> {
  const lines = as === "mcap" ? {} : { redact, ...(filter.trim() ? { filter: filter.trim() } : {}) };
  const made = await link.ask<{ url: string; name: string; notice?: string | null }>("export", { recording: n, as, ...lines });
  const anchor = document.createElement("a");
  anchor.href = made.url;
  anchor.download = made.name;
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  return { name: made.name, notice: made.notice ?? null };
}
