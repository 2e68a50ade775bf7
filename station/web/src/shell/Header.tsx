// The bar at the top: where we are, how it goes, and the few buttons that are always there.
import { T } from "../texts.ts";
import { Button } from "../parts/ui.tsx";
import { bytes, minutes, number, short, span, Word } from "../parts/words.tsx";
import { act, copy } from "../state/link.ts";
import { narrow, tab } from "../state/settings.ts";
import { count, ended, now, readOnly, session, stats } from "../state/store.ts";
import { nextTheme, opened, record } from "./doing.ts";

export function Header() {
  const here = session.value.state !== "start";
  return (
    <header class="top">
      <h1><img src="icon.svg" alt="" width="24" height="24" /><span class={here ? "hidden" : ""}>{T.name}</span></h1>
      {here && <Where />}
      {here && <Pill />}
      <span class="grow" />
      {here && <Numbers />}
      {here && <Record />}
      {here && !narrow.value && <Button label={T.tabs.learn} onClick={() => { tab.value = tab.value === "learn" ? "chat" : "learn"; }} pressed={tab.value === "learn"} />}
      <Button icon="search" label={T.palette.title} text={false} keys="Control+K" onClick={() => { opened.value = "palette"; }} />
      <Button icon="theme" label={T.settings.theme} text={false} onClick={nextTheme} />
      <Button icon="gear" label={T.settings.title} text={false} onClick={() => { opened.value = "settings"; }} />
      <Button icon="help" label={T.keys.title} text={false} keys="?" onClick={() => { opened.value = "keys"; }} />
      {here && session.value.source !== "watch" && (
        <Button icon="leave" label={T.leave} text={false} off={readOnly.value ? T.readOnly : null} onClick={() => void act("close")} />
      )}
    </header>
  );
}

function Where() {
  const { target, source, id, realm } = session.value;
  const title = source === "own" ? T.ownRealm : realm?.name || target;
  return (
    <div class="where">
      <span class="target"><Word text={title} limit={44} strong /></span>
      {source === "own" && realm?.url && (
        <button class="quiet me url" title={T.copyRealm} onClick={() => void copy(realm.url, T.parts.copied)}><Word text={realm.url.replace(/^http:../, "")} /></button>
      )}
      {id && (
        <button class="quiet me" title={T.copyAddress(id)} onClick={() => void copy(id, T.parts.copied)}>
          <span class="dim">{T.you}</span> <Word text={short(id)} />
        </button>
      )}
    </div>
  );
}

const LOOKS = { start: "off", opening: "busy", open: "good", reconnecting: "busy", closed: "bad", playing: "play" } as const;

function Pill() {
  const { state, since, play } = session.value;
  if (ended.value) return <span class="pill bad" role="status">{T.states.gone}</span>;
  const behind = state !== "playing" && Boolean(play);
  return (
    <span class={`pill ${behind ? "play" : LOOKS[state]}`} role="status" title={since ? T.since(span(Math.max(0, now.value - since))) : undefined}>
      {behind ? T.states.behind : T.states[state]}{readOnly.value ? ` · ${T.states.readOnly}` : ""}
    </span>
  );
}

function Numbers() {
  const told = stats.value;
  const { all } = count.value;
  // What was told in one event instead of several is not lost.
  const lost = Object.entries(told?.lost ?? {}).reduce((sum, [why, count]) => sum + (why === "coalesced" ? 0 : count), 0) + (told?.missed ?? 0);
  const trip = told?.round_trip;
  return (
    <dl class="numbers">
      <div><dt>{T.numbers.peers}</dt><dd>{all}</dd></div>
      <div title={T.numbers.tripLong}><dt>{T.numbers.trip}</dt><dd>{typeof trip === "number" ? span(trip) : "–"}</dd></div>
      <div title={told ? `${bytes(told.in.bps)}/s` : undefined}><dt>{T.numbers.in}</dt><dd>{told ? number(told.in.pps) : "–"}<small>/s</small></dd></div>
      <div title={told ? `${bytes(told.out.bps)}/s` : undefined}><dt>{T.numbers.out}</dt><dd>{told ? number(told.out.pps) : "–"}<small>/s</small></dd></div>
      <div class={lost ? "lost" : ""} title={T.numbers.lostLong}><dt>{T.numbers.lost}</dt><dd>{number(lost)}</dd></div>
    </dl>
  );
}

function Record() {
  const { record: on, state, can } = session.value;
  if (state === "playing") return null;
  const off = readOnly.value ? T.readOnly : (can["record"] ?? null);
  return (
    <Button
      icon="record" fill={Boolean(on)} kind={on ? "danger" : "plain"} pressed={Boolean(on)} keys="r" off={off} onClick={record}
      label={on ? on.error ? T.time.broken : T.time.recorded(minutes(Math.max(0, now.value - on.since)), bytes(on.bytes), on.lost) : T.time.record} about={on ? on.error || T.time.stop(on.name) : undefined}
    />
  );
}
