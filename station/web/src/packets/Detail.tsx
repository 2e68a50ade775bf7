// One packet: its fields as a tree, its bytes, what was made of it.  What is chosen in one is shown in the others.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Packet, TreeNode } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Button, Code } from "../parts/ui.tsx";
import { nameOf, span, time, Word } from "../parts/words.tsx";
import { again } from "../composer/edit.ts";
import { act, copy } from "../state/link.ts";
import { packet as shown, readOnly, session, toast, wanted } from "../state/store.ts";
import { packetsView } from "../state/views.ts";
import { Changes, comparing } from "./Changes.tsx";
import { Hex } from "./Hex.tsx";
import { mark } from "./Packets.tsx";
import { Tree } from "./Tree.tsx";

const P = T.packets;

export function Detail({ packet, open }: { packet: Packet; open(n: number): void }) {
  const chosen = useSignal<TreeNode | null>(null);
  useEffect(() => { chosen.value = null; }, [packet.row.n]);
  const { row } = packet;
  const off = readOnly.value ? T.readOnly : (session.value.can["send"] ?? null);
  const byPath = (node: TreeNode): void => {
    const path = pathOf(packet.tree, node)?.join(".");
    if (path && node.value !== null && node.value !== undefined) packetsView.value = { ...packetsView.value, filter: `${path}:${node.value}`, anchor: null };
  };
  return (
    <div class="detail" role="region" aria-label={P.detail(row.n)}>
      <header>
        <h3>{P.title(row.kind ?? P.none, row.n)}</h3>
        <span class="dim grow">{time(row.t, true)}{typeof row.d === "number" ? ` · ${P.after(span(row.d))}` : ""} · {row.dir === "in" ? P.from : P.by} <Word text={row.dir === "in" ? nameOf(row.id ?? "") : T.you} limit={24} /></span>
        <Button icon="copy" label={P.copyHex} keys="y" onClick={() => void copy(packet.hex, T.parts.copied)} />
        <Button icon="copy" label={P.copyJson} onClick={() => void copy(JSON.stringify(packet.meaning.fields ?? tree(packet.tree), null, 2), T.parts.copied)} />
        <Button label={P.again} off={off} keys="s" onClick={() => sendAgain(packet)} />
        <Button label={P.edit} off={off} keys="e" onClick={() => again(packet)} />
        <Button label={P.compare} pressed={comparing.value} keys="d" onClick={() => { comparing.value = !comparing.value; }} />
        <Button icon="mark" label={P.mark} text={false} pressed={row.marked} off={readOnly.value ? T.readOnly : null} onClick={() => mark(row)} />
        {typeof packet.previous === "number" && <Button icon="up" label={P.previous} text={false} onClick={() => open(packet.previous!)} />}
        <Button icon="close" label={T.parts.close} text={false} onClick={() => { wanted.value = null; shown.value = null; }} />
      </header>
      <div class="views">
        <section aria-label={P.tree}>
          <h4>{P.tree}</h4>
          <Tree nodes={packet.tree} chosen={chosen.value} onChoose={(node) => { chosen.value = node; }} onFilter={byPath} />
        </section>
        <section aria-label={P.hex}>
          <h4>{P.hex} <span class="dim">{P.bytes(packet.hex.length / 2 + (packet.cut ?? 0))}</span></h4>
          <Hex hex={packet.hex} cut={packet.cut ?? 0} from={chosen.value?.from ?? null} body={chosen.value?.body ?? null} to={chosen.value?.to ?? null} onPick={(at) => { chosen.value = deepest(packet.tree, at) ?? null; }} />
        </section>
        <section aria-label={P.meaning} class="meaning">
          <h4>{P.meaning}</h4>
          <p class={row.verdict.startsWith("rejected") ? "bad" : ""}><Word text={packet.meaning.text} limit={600} /></p>
          {packet.meaning.fields && <dl class="facts">{Object.entries(packet.meaning.fields).map(([key, value]) => <div key={key}><dt>{key}</dt><dd><Word text={typeof value === "string" ? value : JSON.stringify(value)} limit={300} /></dd></div>)}</dl>}
          <p class="dim">{P.route(row.room, row.reliable, row.private, row.topic)}{packet.to?.length ? ` → ${packet.to.map((id) => nameOf(id)).join(", ")}` : ""}</p>
          {packet.python && <Code text={packet.python} label={P.python} />}
        </section>
        {comparing.value && <Changes packet={packet} />}
      </div>
    </div>
  );
}

export function sendAgain({ hex, row }: Packet): void {
  void act("send", { hex, reliable: row.reliable, topic: row.topic }).then((done) => { if (done) toast(P.sent); });
}

export function deepest(nodes: TreeNode[], at: number): TreeNode | undefined {
  const node = nodes.find((each) => each.from <= at && at < each.to);
  return node && (deepest(node.children ?? [], at) ?? node);
}

export function pathOf(nodes: TreeNode[], wantedNode: TreeNode): string[] | undefined {
  for (const node of nodes) {
    if (node === wantedNode) return [node.name];
    const below = node.children && pathOf(node.children, wantedNode);
    if (below) return [node.name, ...below];
  }
  return undefined;
}

function tree(nodes: TreeNode[]): Record<string, unknown> {
  return Object.fromEntries(nodes.map((node) => [node.name, node.children ? tree(node.children) : node.value]));
}
