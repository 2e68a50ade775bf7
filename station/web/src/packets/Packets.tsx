// The inspector: every packet that went by, filtered, and one of them in all its parts.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Packet, Row } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Icon } from "../parts/icons.tsx";
import { Cell, Grid, type Column } from "../parts/list.tsx";
import { Button, Empty } from "../parts/ui.tsx";
import { Dot, nameOf, number, span, time, Word } from "../parts/words.tsx";
import { again } from "../composer/edit.ts";
import { act, copy, failure, link } from "../state/link.ts";
import { dense, narrow } from "../state/settings.ts";
import { packet, rows, session, stats, toast, wanted } from "../state/store.ts";
import { packetsView } from "../state/views.ts";
import { comparing } from "./Changes.tsx";
import { Detail, sendAgain } from "./Detail.tsx";
import { Filter } from "./Filter.tsx";

const P = T.packets;
const COLUMNS: Column[] = [
  { id: "n", title: P.n, class: "num no" }, { id: "t", title: P.time, class: "num at" }, { id: "d", title: P.delta, class: "num delta" }, { id: "dir", title: P.dir, class: "dir", quiet: true },
  { id: "peer", title: P.peer, class: "who" }, { id: "kind", title: P.kind, class: "kind" }, { id: "size", title: P.size, class: "num size" },
  { id: "how", title: P.how, class: "how" }, { id: "verdict", title: P.verdict, class: "verdict" }, { id: "text", title: P.summary, class: "wide" },
];

export const cursor = { i: null as number | null };

export function Packets() {
  const told = rows.value;
  const view = packetsView.value;
  const at = useSignal<number | null>(cursor.i);
  const paused = useSignal(false);
  const [first, end] = told?.matching ?? [0, 0];
  const list = told?.rows ?? [];
  const follow = view.anchor === null && !paused.value;

  useEffect(() => { cursor.i = at.value; }, [at.value]);
  // Another filter has other ordinals.
  useEffect(() => { at.value = null; }, [view.filter]);

  const rowAt = (i: number): Row | undefined => list[i - (told?.first ?? 0)];
  const open = (n: number): void => {
    wanted.value = n;
    link.ask<Packet>("packet", { n }).then((got) => { if (wanted.value === n) packet.value = got; }, (error) => {
      if (wanted.value === n) wanted.value = packet.value = null;
      toast(failure(error).text, "error");
    });
  };
  const select = (i: number): void => {
    at.value = i;
    const row = rowAt(i);
    if (view.anchor === null) packetsView.value = { ...view, anchor: told?.first ?? first };
    if (row) open(row.n);
    else packetsView.value = { ...packetsView.value, anchor: Math.max(first, i - 20) };
  };
  const live = (): void => {
    paused.value = false;
    packetsView.value = { ...packetsView.value, anchor: null };
  };
  const keys = (event: KeyboardEvent): boolean => {
    const row = at.value === null ? undefined : rowAt(at.value);
    if (event.key === " ") {
      if (follow) { paused.value = true; packetsView.value = { ...view, anchor: told?.first ?? first }; }
      else live();
    } else if (event.key === "End") { at.value = null; live(); }
    else if (event.key === "m" && row) mark(row);
    else if (event.key === "x" && row?.kind) packetsView.value = { ...view, filter: `kind:${row.kind}`, anchor: null };
    else if (event.key === "h" && row?.kind) packetsView.value = { ...view, highlight: view.highlight ? "" : `kind:${row.kind}` };
    else if (event.key === "d") comparing.value = !comparing.value;
    else if (row && "esy".includes(event.key)) withPacket(row.n, { e: again, s: sendAgain, y: (one: Packet) => void copy(one.hex, T.parts.copied) }[event.key as "e" | "s" | "y"]);
    else if (event.key === "Escape" && wanted.value !== null) { wanted.value = null; packet.value = null; }
    else return false;
    return true;
  };
  // A row that was asked for by its place arrives later than the key.
  useEffect(() => {
    const row = at.value === null ? undefined : rowAt(at.value);
    if (row && wanted.value !== null && wanted.value !== row.n && packet.value?.row.n !== row.n) open(row.n);
  }, [told?.first, list.length]);

  return (
    <section class={`packets${wanted.value !== null ? " split" : ""}`} aria-label={T.tabs.packets}>
      <Filter />
      <Kinds />
      <div class="list">
        {told && end === first && <Nothing filtered={Boolean(told.filter)} kept={told.kept} />}
        <Grid
          name="packets" label={T.tabs.packets} columns={COLUMNS} base={first} total={end - first} first={told?.first ?? 0} count={list.length} row={dense.value ? 22 : 26} selected={at.value} follow={follow}
          kept={(i) => rowAt(i)?.n ?? -i}
          onWindow={(from, many, last) => {
            if (paused.value && last) return;
            const anchor = last && at.value === null ? null : from;
            if (anchor !== view.anchor || many > view.rows) packetsView.value = { ...packetsView.peek(), anchor, rows: Math.max(40, many) };
          }}
          onSelect={select} onKey={keys}
          classOf={(i) => { const row = rowAt(i); return row ? `${row.dir} ${look(row.verdict)}${row.hl ? " hl" : ""}${row.marked ? " marked" : ""}` : ""; }}
          render={(i) => { const row = rowAt(i); return row ? <One row={row} /> : null; }}
        />
        {!follow && end > first && <div class="jump"><Button icon="down" label={P.follow} onClick={() => { at.value = null; live(); }} /></div>}
      </div>
      {wanted.value !== null && packet.value && <Detail packet={packet.value} open={open} />}
      {(told?.oldest ?? 0) > 1 && !narrow.value && <p class="hint">{session.value.record ? P.olderRecorded : P.older(number(told?.kept ?? 0))}</p>}
    </section>
  );
}

function withPacket(n: number, use: (packet: Packet) => void): void {
  if (packet.value?.row.n === n) use(packet.value);
  else link.ask<Packet>("packet", { n }).then(use, (error) => toast(failure(error).text, "error"));
}

export function mark(row: Row): void {
  if (row.marked) return;
  void act("mark", { packet: row.n, text: "" }).then((done) => { if (done) toast(P.marked(row.n)); });
}

export function look(verdict: string): "told" | "held" | "bad" {
  if (verdict === "told" || verdict === "control" || verdict === "sent" || verdict === "") return "told";
  return verdict.startsWith("rejected") || verdict === "rate" ? "bad" : "held";
}

function One({ row }: { row: Row }) {
  return (
    <>
      <Cell class="num no">{row.marked && <Icon name="mark" fill />}{row.n}</Cell>
      <Cell class="num at">{time(row.t, true)}</Cell>
      <Cell class="num delta">{typeof row.d === "number" ? `+${span(row.d)}` : ""}</Cell>
      <Cell class="dir" title={row.dir === "in" ? P.in : P.out}>{row.dir === "in" ? "↓" : "↑"}</Cell>
      <Cell class="who"><Dot id={sender(row)} /><Word text={row.dir === "out" ? T.you : nameOf(sender(row))} limit={20} /></Cell>
      <Cell class="kind">{row.kind ?? P.none}</Cell>
      <Cell class="num size">{row.size}</Cell>
      <Cell class="how" title={`${row.room}${row.topic ? ` · ${row.topic.slice(0, 80)}` : ""}`}>{row.private ? `${P.private} ` : ""}{row.reliable ? P.reliable : P.lossy}</Cell>
      <Cell class="verdict" title={row.verdict}>{row.dir === "out" ? "" : row.verdict}</Cell>
      <Cell class="wide"><Word text={row.text} limit={200} /></Cell>
    </>
  );
}

// Who sent it: what we sent ourselves need not say so.
function sender(row: Row): string {
  return row.id ?? (row.dir === "out" ? (session.value.id ?? "") : "");
}

// What comes, by kind: a chip filters for it.
function Kinds() {
  const kinds = Object.entries(stats.value?.kinds_in ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 8);
  const filter = packetsView.value.filter;
  if (!kinds.length) return null;
  return (
    <div class="kinds" role="group" aria-label={P.kinds}>
      {kinds.map(([kind, pps]) => {
        const on = filter === `kind:${kind}`;
        return (
          <button key={kind} class="chip" aria-pressed={on} onClick={() => { packetsView.value = { ...packetsView.value, filter: on ? "" : `kind:${kind}`, anchor: null }; }}>
            {kind} <span class="dim">{number(pps)}/s</span>
          </button>
        );
      })}
    </div>
  );
}

function Nothing({ filtered, kept }: { filtered: boolean; kept: number }) {
  if (!filtered) return <Empty title={P.empty}><p>{P.emptyMore}</p></Empty>;
  return <Empty title={P.noMatch}><p>{P.unfiltered(number(stats.value?.kept.packets ?? kept))} <Button label={P.clear} onClick={() => { packetsView.value = { ...packetsView.value, filter: "", anchor: null }; }} /></p></Empty>;
}
