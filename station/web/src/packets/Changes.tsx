// What is other than in the packet before it, of the same peer and kind.
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Packet, TreeNode } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Word } from "../parts/words.tsx";
import { link } from "../state/link.ts";

const P = T.packets;
/** Whether each packet is compared that is looked at. */
export const comparing = signal(false);

export function Changes({ packet }: { packet: Packet }) {
  const before = useSignal<Packet | null>(null);
  const { previous } = packet;
  useEffect(() => {
    let over = false;
    before.value = null;
    if (typeof previous === "number") link.ask<Packet>("packet", { n: previous }).then((got) => { if (!over) before.value = got; }, () => undefined);
    return () => { over = true; };
  }, [packet.row.n]);
  if (typeof previous !== "number") return <section class="changes"><h4>{P.changes}</h4><p class="dim">{P.noPrevious}</p></section>;
  const rows = before.value ? changes(before.value.tree, packet.tree) : null;
  return (
    <section class="changes" aria-label={P.changes}>
      <h4>{P.changes} <span class="dim">{P.since(previous)}</span></h4>
      {rows === null ? <p class="dim">{T.waiting}</p> : !rows.length ? <p class="dim">{P.same}</p> : (
        <table>
          <thead><tr><th scope="col">{P.field}</th><th scope="col">{P.was}</th><th scope="col">{P.is}</th></tr></thead>
          <tbody>{rows.map(([path, was, is]) => <tr key={path}><th scope="row"><code>{path}</code></th><td>{was === null ? "–" : <Word text={was} limit={80} />}</td><td>{is === null ? "–" : <Word text={is} limit={80} />}</td></tr>)}</tbody>
        </table>
      )}
    </section>
  );
}

/** Every field whose value is another, with both; null: it is not there. */
export function changes(before: TreeNode[], after: TreeNode[]): [string, string | null, string | null][] {
  const was = values(before), is = values(after);
  return [...new Set([...was.keys(), ...is.keys()])]
    .map((path): [string, string | null, string | null] => [path, was.get(path) ?? null, is.get(path) ?? null])
    .filter(([, one, other]) => one !== other);
}

function values(nodes: TreeNode[], path = "", out = new Map<string, string>()): Map<string, string> {
  for (const node of nodes) {
    let name = path ? `${path}.${node.name}` : node.name;
    // A repeated field stands there several times.
    for (let i = 1; out.has(name); i++) name = `${path ? `${path}.` : ""}${node.name}[${i}]`;
    if (node.children) values(node.children, name, out);
    else out.set(name, node.value ?? "");
  }
  return out;
}
