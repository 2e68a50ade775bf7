// Everybody here as a table: the map's equal for those who can't see it.
import { useSignal } from "@preact/signals";
import type { PeerRow } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Cell, Grid, type Column } from "../parts/list.tsx";
import { Empty, Spark } from "../parts/ui.tsx";
import { bytes, metres, Name, number, place, span, time } from "../parts/words.tsx";
import { dense, narrow } from "../state/settings.ts";
import { count, now, peerRows, peers, selected, session, welcome } from "../state/store.ts";
import { peersView } from "../state/views.ts";

const COLUMNS: Column[] = [
  { id: "name", title: T.peers.name, class: "wide", sort: true },
  { id: "rooms", title: T.peers.rooms, class: "rooms" },
  { id: "distance", title: T.peers.distance, class: "num", sort: true },
  { id: "position", title: T.peers.position, class: "place" },
  { id: "speed", title: T.peers.speed, class: "num c-speed", sort: true },
  { id: "pps", title: T.peers.pps, class: "num", sort: true },
  { id: "bps", title: T.peers.bps, class: "num c-bps", sort: true },
  { id: "spark", title: T.peers.spark, class: "spark" },
  { id: "seen", title: T.peers.seen, class: "num", sort: true },
  { id: "mic", title: T.peers.tracks, class: "tracks" },
  { id: "profile_version", title: T.peers.profile, class: "num c-profile", sort: true },
  { id: "score", title: T.peers.score, class: "num c-score", sort: true },
  { id: "joined", title: T.peers.joined, class: "num c-joined", sort: true },
];

export function Peers() {
  const told = peerRows.value;
  const cursor = useSignal<number | null>(null);
  const view = peersView.value;
  const rows = told?.rows ?? [];
  const first = told?.first ?? 0;
  const selectedAt = rows.findIndex((row) => row.id === selected.value);
  const most = welcome.value?.limits["peers"];
  return (
    <section class="peers" aria-label={T.tabs.peers}>
      <div class="bar slim">
        <input
          id="peers-filter" class="grow" type="search" aria-label={T.peers.filter} placeholder={T.peers.filter} value={view.filter} spellcheck={false}
          onInput={(event) => { peersView.value = { ...peersView.peek(), filter: event.currentTarget.value, first: 0 }; }}
        />
        <span class="dim count">{told ? (view.filter ? T.peers.matching(told.matching, told.total) : T.peers.total(told.total)) : ""}</span>
      </div>
      {most !== undefined && (told?.total ?? 0) >= most && <p class="hint warn">{T.peers.full(most)}</p>}
      {told && told.matching === 0 && (
        <Empty title={view.filter ? T.peers.noMatch : count.value.all ? T.peers.silent : T.map.nobody}>
          {!view.filter && <p>{session.value.source === "own" ? T.map.nobodyOwn : T.map.nobodyElse}</p>}
        </Empty>
      )}
      <Grid
        name="peers" label={T.tabs.peers} columns={COLUMNS} total={told?.matching ?? 0} base={0} first={first} count={rows.length} row={dense.value ? 26 : narrow.value ? 36 : 32}
        selected={selectedAt >= 0 ? first + selectedAt : cursor.value}
        kept={(i) => rows[i - first]?.slot ?? i}
        sorted={{ id: view.sort, down: view.down }}
        onSort={(id) => { peersView.value = { ...view, sort: id, down: view.sort === id ? !view.down : id !== "name" && id !== "distance" }; }}
        onWindow={(from, many) => { if (from !== view.first || many > view.rows) peersView.value = { ...peersView.peek(), first: from, rows: Math.max(many, 30) }; }}
        onSelect={(i) => { cursor.value = i; if (selected.value !== null) selected.value = rows[i - first]?.id ?? selected.value; }}
        onOpen={(i) => { selected.value = rows[i - first]?.id ?? null; }}
        classOf={(i) => (rows[i - first]?.gone ? "gone" : "")}
        render={(i) => { const row = rows[i - first]; return row ? <One row={row} /> : null; }}
      />
    </section>
  );
}

function One({ row }: { row: PeerRow }) {
  const peer = peers.get(row.slot);
  const top = Object.entries(row.kinds).sort((a, b) => b[1] - a[1]).map(([kind, pps]) => `${kind} ${number(pps)}/s`).join(", ");
  const elsewhere = peer?.pulse ?? false;
  return (
    <>
      <Cell class="wide">
        <Name id={row.id} name={row.name} />
        {peer?.kind === "bot" && <span class="badge">{T.peers.bot}</span>}
        {elsewhere && <span class="badge hollow" title={T.map.elsewhere}>{T.peers.pulse}</span>}
        {peer?.ignored && <span class="badge">{T.peers.ignored}</span>}
        {row.gone ? <span class="dim"> {T.peers.left}</span> : null}
      </Cell>
      <Cell class="rooms">{row.rooms.join(", ") || "–"}</Cell>
      <Cell class="num">{typeof row.distance === "number" ? metres(row.distance) : "–"}</Cell>
      <Cell class="place">{row.position ? place(row.position) : "–"}</Cell>
      <Cell class="num c-speed">{typeof row.speed === "number" ? `${row.speed.toFixed(1)}` : "–"}</Cell>
      <Cell class="num" title={top}>{number(row.pps)}</Cell>
      <Cell class="num c-bps">{bytes(row.bps)}</Cell>
      <Cell class="spark"><Spark values={row.spark} label={T.peers.sparkOf(top)} /></Cell>
      <Cell class="num">{row.seen ? span(Math.max(0, now.value - row.seen)) : "–"}</Cell>
      <Cell class="tracks">{[row.mic && T.peers.mic(row.mic), row.camera && T.peers.camera(row.camera)].filter(Boolean).join(", ") || "–"}</Cell>
      <Cell class="num c-profile">{row.profile_version ?? "–"}</Cell>
      <Cell class="num c-score">{typeof row.score === "number" ? row.score.toFixed(1) : "–"}</Cell>
      <Cell class="num c-joined">{time(row.joined)}</Cell>
    </>
  );
}
