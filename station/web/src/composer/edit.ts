// What the composer starts with when a packet is edited and sent again.
import { signal } from "@preact/signals";
import type { Packet, TreeNode } from "../wire/protocol.ts";
import { opened } from "../shell/doing.ts";

export interface Draft { kind: string; fields: Record<string, unknown>; hex: string; reliable: boolean; topic: string }
export const draft = signal<Draft | null>(null);

export function again(packet: Packet): void {
  const own = packet.tree.find((node) => node.name === packet.row.kind);
  draft.value = { kind: own?.children ? own.name : "hex", fields: own?.children ? fieldsOf(own.children) : {}, hex: packet.hex, reliable: packet.row.reliable, topic: packet.row.topic };
  opened.value = "composer";
}

/** Values of a tree as the composer's form has them; those that are no plain value are left out. */
export function fieldsOf(nodes: TreeNode[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const node of nodes) {
    if (!node.known) continue;
    const value = node.children ? fieldsOf(node.children) : node.value === null || node.value === undefined ? undefined : plain(node.value);
    if (value === undefined) continue;
    const before = out[node.name];
    out[node.name] = before === undefined ? value : [...(Array.isArray(before) ? (before as unknown[]) : [before]), value];
  }
  return out;
}

function plain(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
