// The map with its buttons, tip and what it says to those who can't see it.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { T } from "../texts.ts";
import { Button, Empty } from "../parts/ui.tsx";
import { metres, nameOf, place, span, Word } from "../parts/words.tsx";
import { labels } from "../state/settings.ts";
import { act } from "../state/link.ts";
import { count, following, now, peers, peersVersion, realm, selected, session } from "../state/store.ts";
import { motion, spot } from "./motion.ts";
import { MapView, type Tip } from "./view.ts";
import { Walker } from "./walk.ts";

declare global { interface Window { stationMap?: MapView | undefined } }

export function Map() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<MapView | null>(null);
  const tip = useSignal<Tip | null>(null);
  const insight = useSignal(0);
  const walker = useMemo(() => new Walker(), []);
  useEffect(() => {
    const made = new MapView(canvas.current!, (now) => { tip.value = now; }, (n) => { insight.value = n; });
    view.current = window.stationMap = made;
    return () => { made.end(); window.stationMap = undefined; walker.end(); };
  }, []);

  const keys = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
    const done = {
      "+": () => view.current?.zoom(1.4), "=": () => view.current?.zoom(1.4), "-": () => view.current?.zoom(1 / 1.4), "0": () => view.current?.fit(),
      f: () => view.current?.fit(), c: () => view.current?.centre(session.value.slot), l: () => { labels.value = !labels.value; },
      Enter: () => { if (selected.value) following.value = !following.value; },
    }[event.key];
    if (done) done();
    else if (!walker.down(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <section class="map" aria-label={T.map.title}>
      <div
        class="ground" role="application" tabIndex={0} id="map" aria-label={T.map.keys} aria-describedby="map-summary"
        onKeyDown={keys} onKeyUp={(event) => walker.up(event)} onBlur={() => walker.end()}
      >
        <canvas ref={canvas} role="img" aria-label={T.map.picture} />
      </div>
      <Summary insight={insight.value} />
      <div class="tools" role="toolbar" aria-label={T.map.tools}>
        <Button icon="plus" label={T.map.closer} text={false} onClick={() => view.current?.zoom(1.4)} keys="+" />
        <Button icon="minus" label={T.map.wider} text={false} onClick={() => view.current?.zoom(1 / 1.4)} keys="-" />
        <Button icon="fit" label={T.map.fit} text={false} onClick={() => view.current?.fit()} keys="f" />
        <Button icon="me" label={T.map.centre} text={false} onClick={() => view.current?.centre(session.value.slot)} keys="c" />
        <Button icon="tag" label={T.map.labels} text={false} pressed={labels.value} onClick={() => { labels.value = !labels.value; }} keys="l" />
      </div>
      {following.value && selected.value && (
        <div class="chip following"><Word text={T.map.following(nameOf(selected.value))} /><Button icon="close" label={T.map.unfollow} text={false} onClick={() => { following.value = false; }} /></div>
      )}
      <Hover tip={tip.value} />
      <Nobody />
    </section>
  );
}

function Summary({ insight }: { insight: number }) {
  now.value;
  peersVersion.value;
  const at = spot(), me = spot(), t = motion.now();
  const placed = motion.at(session.value.slot, t, false, me);
  let near: { far: number; east: number; north: number } | null = null;
  for (const [slot, peer] of peers) {
    if (!placed || peer.kind === "me" || !motion.at(slot, t, false, at)) continue;
    const far = Math.hypot(at.x - me.x, at.z - me.z);
    if (!near || far < near.far) near = { far, east: at.x - me.x, north: at.z - me.z };
  }
  const where = near ? T.map.nearest(metres(near.far), T.map.compass[Math.round(((Math.atan2(near.east, near.north) * 4) / Math.PI + 8) % 8) % 8] ?? "") : "";
  return (
    <p class="insight" id="map-summary">
      <span>{T.map.insight(insight, count.value.all)}</span>
      <span class="hidden">{where}</span>
    </p>
  );
}

function Hover({ tip }: { tip: Tip | null }) {
  const peer = tip && peers.get(tip.slot);
  if (!tip || !peer) return null;
  const at = spot();
  motion.at(tip.slot, motion.now(), false, at);
  return (
    <div class="tip" aria-hidden="true" style={{ left: `${Math.round(tip.x + 16)}px`, top: `${Math.round(tip.y + 12)}px` }}>
      <Word text={nameOf(peer.id, peer.name)} strong limit={32} />
      <span>{place([at.x, at.y, at.z])} · {at.speed.toFixed(1)} m/s</span>
      <span>{T.map.heard(span(Math.max(0, at.age)))}</span>
      {peer.pulse && <span>{T.map.elsewhere}</span>}
    </div>
  );
}

// An empty map says why it is empty, and what helps.
function Nobody() {
  const { all, placed } = count.value;
  const { state, silent, source } = session.value;
  if (placed > 0 || (state !== "open" && state !== "playing")) return silent?.length && placed > 0 ? <Silent /> : null;
  if (all > 0) {
    return (
      <div class="nobody">
        <Empty title={T.map.silent(all)}>
          {(silent ?? []).map((each) => (
            <p key={each.why}>{each.why}{" "}{each.fix === "announce" && <Button label={T.map.announce} onClick={() => void act("announce", { version: 1 })} />}</p>
          ))}
        </Empty>
      </div>
    );
  }
  return <div class="nobody"><Empty title={T.map.nobody}><p>{source === "own" || realm.value ? T.map.nobodyOwn : T.map.nobodyElse}</p></Empty></div>;
}

function Silent() {
  const silent = session.value.silent ?? [];
  const total = silent.reduce((sum, each) => sum + each.count, 0);
  if (!total) return null;
  return <p class="silent" title={silent.map((each) => `${each.count}: ${each.why}`).join("\n")}>{T.map.some(total, silent[0]?.why ?? "")}</p>;
}
