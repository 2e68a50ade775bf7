// Fields of a message as a tree: one tab stop, arrows move, the chosen one is shown in the bytes.
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { TreeNode } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Word } from "../parts/words.tsx";

interface Flat { node: TreeNode; level: number; up: number; key: string }

function flat(nodes: TreeNode[], closed: Set<string>, level = 1, up = -1, path = "", out: Flat[] = []): Flat[] {
  nodes.forEach((node, i) => {
    const key = `${path}/${i}`;
    const mine = out.push({ node, level, up, key }) - 1;
    if (node.children && !closed.has(key)) flat(node.children, closed, level + 1, mine, key, out);
  });
  return out;
}

export function Tree({ nodes, chosen, onChoose, onFilter }: { nodes: TreeNode[]; chosen: TreeNode | null; onChoose(node: TreeNode): void; onFilter(node: TreeNode): void }) {
  const closed = useSignal(new Set<string>());
  const element = useRef<HTMLDivElement>(null);
  const all = flat(nodes, closed.value);
  const at = Math.max(0, all.findIndex((each) => each.node === chosen));
  const move = (to: number): void => {
    const target = all[Math.max(0, Math.min(to, all.length - 1))];
    if (!target) return;
    onChoose(target.node);
    requestAnimationFrame(() => element.current?.querySelector<HTMLElement>("[tabindex='0']")?.focus());
  };
  const fold = (key: string, shut: boolean): void => {
    const next = new Set(closed.value);
    if (shut) next.add(key); else next.delete(key);
    closed.value = next;
  };
  const keys = (event: KeyboardEvent): void => {
    const here = all[at];
    if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
    const open = here.node.children && !closed.value.has(here.key);
    if (event.key === "ArrowDown") move(at + 1);
    else if (event.key === "ArrowUp") move(at - 1);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(all.length - 1);
    else if (event.key === "ArrowLeft") { if (open) fold(here.key, true); else if (here.up >= 0) move(here.up); }
    else if (event.key === "ArrowRight") { if (here.node.children && !open) fold(here.key, false); else if (open) move(at + 1); }
    else if (event.key === "x") onFilter(here.node);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (!all.length) return <p class="dim">{T.packets.noTree}</p>;
  return (
    <div ref={element} class="tree" role="tree" aria-label={T.packets.tree} onKeyDown={keys}>
      {all.map(({ node, level, key }, i) => (
        <div
          key={key} role="treeitem" aria-level={level} aria-selected={node === chosen} aria-expanded={node.children ? !closed.value.has(key) : undefined}
          tabIndex={i === at ? 0 : -1} class={`node${node.known ? "" : " unknown"}`} style={{ paddingInlineStart: `${level * 14 - 6}px` }}
          onClick={() => { if (node === chosen && node.children) fold(key, !closed.value.has(key)); onChoose(node); }} onFocus={() => { if (node !== chosen) onChoose(node); }}
        >
          <span class="twist" aria-hidden="true">{node.children ? (closed.value.has(key) ? "▸" : "▾") : ""}</span>
          <span class="field-name"><Word text={node.name} limit={40} /></span>
          {node.value !== null && node.value !== undefined && <span class="value"><Word text={node.value} limit={160} />{node.unit ? ` ${node.unit}` : ""}</span>}
          <span class="dim wire">{node.type ?? node.wire} · #{node.number}</span>
        </div>
      ))}
    </div>
  );
}
