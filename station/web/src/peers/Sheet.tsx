// One peer: who it is, what it sends, what can be done about it.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Sheet } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Button, Problem, Spark } from "../parts/ui.tsx";
import { bytes, Dot, Long, metres, nameOf, number, place, span, time, Word } from "../parts/words.tsx";
import { whisper } from "../chat/saying.ts";
import { go, show } from "../shell/doing.ts";
import { act, copy, failure, link } from "../state/link.ts";
import { byId, following, now, peersVersion, profiles, readOnly, selected, session } from "../state/store.ts";
import type { Failure } from "../wire/protocol.ts";

export function PeerSheet({ id }: { id: string }) {
  const sheet = useSignal<Sheet | null>(null);
  const problem = useSignal<Failure | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    let ended = false;
    sheet.value = null;
    const load = (): void => {
      link.ask<Sheet>("peer", { peer: id }).then(
        (told) => { if (!ended) { sheet.value = told; problem.value = null; } },
        (error) => { if (!ended) problem.value = failure(error); },
      );
    };
    load();
    const timer = setInterval(load, 2000);
    return () => { ended = true; clearInterval(timer); };
  }, [id]);
  useEffect(() => { heading.current?.focus({ preventScroll: true }); }, [id]);
  peersVersion.value;
  const peer = byId.get(id) ?? sheet.value?.peer;
  const row = sheet.value?.row;
  const can = session.value.can;
  const off = (verb: string): string | null => (readOnly.value ? T.readOnly : (can[verb] ?? null));
  const close = (): void => { selected.value = null; };
  return (
    <aside class="peer-sheet" aria-label={T.sheet.title} onKeyDown={(event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } }}>
      <header>
        <h3 ref={heading} tabIndex={-1}><Dot id={id} /> <Word text={nameOf(id, peer?.name)} limit={40} /></h3>
        <Button icon="close" label={T.parts.close} text={false} onClick={close} />
      </header>
      <div class="id"><bdi class="mono"><Long text={id} limit={120} /></bdi> <Button icon="copy" label={T.sheet.copyId} text={false} onClick={() => void copy(id, T.parts.copied)} /></div>
      {!byId.has(id) && <p class="hint warn">{T.sheet.gone}</p>}
      {peer?.pulse && <p class="hint">{T.map.elsewhere}</p>}
      <div class="buttons">
        <Button icon="lock" label={T.sheet.whisper} off={off("whisper")} onClick={() => { whisper(id); go("chat"); close(); }} />
        <Button label={T.sheet.packets} onClick={() => { show(`peer:${quoted(id)}`); close(); }} />
        <Button icon="me" label={following.value ? T.sheet.unfollow : T.sheet.follow} pressed={following.value} onClick={() => { following.value = !following.value; }} />
        <Button label={T.sheet.walk} off={off("walk")} onClick={() => void act("walk", { peer: id, stop: 2 })} />
        <Button label={peer?.ignored ? T.sheet.unignore : T.sheet.ignore} off={off("ignore")} pressed={peer?.ignored ?? false} onClick={() => void act("ignore", { peer: id, on: !peer?.ignored })} />
      </div>
      <Problem failure={problem.value?.code === "not_found" ? null : problem.value} />
      {row && (
        <dl class="facts">
          <div><dt>{T.peers.position}</dt><dd>{row.position ? place(row.position) : T.sheet.noPlace}</dd></div>
          <div><dt>{T.peers.distance}</dt><dd>{typeof row.distance === "number" ? metres(row.distance) : "–"}</dd></div>
          <div><dt>{T.peers.rooms}</dt><dd>{row.rooms.join(", ") || T.sheet.noRoom}</dd></div>
          <div><dt>{T.peers.joined}</dt><dd>{time(row.joined)} {peer?.arrival ? `(${peer.arrival})` : ""}</dd></div>
          <div><dt>{T.peers.seen}</dt><dd>{row.seen ? T.words.ago(span(Math.max(0, now.value - row.seen))) : "–"}</dd></div>
          <div><dt>{T.peers.traffic}</dt><dd>{number(row.pps)}/s, {bytes(row.bps)}/s</dd></div>
          <div><dt>{T.peers.profile}</dt><dd>{row.profile_version ?? "–"}</dd></div>
          {peer?.address && peer.address !== id && <div><dt>{T.sheet.address}</dt><dd class="mono"><Word text={peer.address} limit={44} /></dd></div>}
        </dl>
      )}
      {sheet.value && sheet.value.history.length > 1 && (
        <p class="sheet-spark"><Spark values={sheet.value.history.map((each) => each[1])} label={T.sheet.history} wide={260} tall={36} /></p>
      )}
      {(peer?.tracks.length ?? 0) > 0 && <p>{peer?.tracks.map((track) => <span key={track.sid} class="badge">{track.source}{track.muted ? ` · ${T.media.muted}` : ""}</span>)} <button class="quiet" onClick={() => { go("media"); close(); }}>{T.sheet.media}</button></p>}
      <ProfileOf id={id} off={off("profile")} />
      {sheet.value?.metadata && <details><summary>{T.sheet.metadata}</summary><pre class="wrap"><Long text={sheet.value.metadata} limit={2000} /></pre></details>}
      {sheet.value?.attributes && Object.keys(sheet.value.attributes).length > 0 && (
        <details><summary>{T.sheet.attributes}</summary><dl class="facts">{Object.entries(sheet.value.attributes).map(([key, value]) => <div key={key}><dt><Word text={key} /></dt><dd><Long text={value} /></dd></div>)}</dl></details>
      )}
    </aside>
  );
}

function ProfileOf({ id, off }: { id: string; off: string | null }) {
  const profile = profiles.value[id];
  return (
    <details open={profile !== undefined}>
      <summary>{T.sheet.profile}</summary>
      <p>
        <Button label={T.sheet.ask} off={off ?? (profile?.state === "asked" ? T.sheet.asked : null)} onClick={() => void act("profile", { peer: id })} />{" "}
        {profile && profile.state !== "got" && <span class="dim" role="status">{profile.state === "asked" ? T.sheet.asked : T.sheet.noAnswer}</span>}
      </p>
      {profile?.state === "got" && <pre class="wrap"><Long text={pretty(profile.text)} cut={profile.cut ?? 0} limit={3000} /></pre>}
    </details>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function quoted(id: string): string {
  return /^[\w.:-]+$/.test(id) ? id : `"${id.replace(/["\\]/g, "\\$&")}"`;
}
