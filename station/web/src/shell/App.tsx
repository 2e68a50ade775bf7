// The page: which screen there is, and where its panels stand.
import { useEffect } from "preact/hooks";
import { T } from "../texts.ts";
import { Chats } from "../chat/Chat.tsx";
import { Composer } from "../composer/Composer.tsx";
import { Health } from "../health/Health.tsx";
import { Learn } from "../learn/Learn.tsx";
import { Map } from "../map/Map.tsx";
import { Media } from "../media/Media.tsx";
import { Packets } from "../packets/Packets.tsx";
import { Peers } from "../peers/Peers.tsx";
import { PeerSheet } from "../peers/Sheet.tsx";
import { Export } from "../recording/Export.tsx";
import { exporting } from "../recording/exporting.ts";
import { Connecting } from "../start/Connecting.tsx";
import { Start } from "../start/Start.tsx";
import { Button } from "../parts/ui.tsx";
import { Icon } from "../parts/icons.tsx";
import { narrow, split, tab, type Tab } from "../state/settings.ts";
import { ended, entered, known, phase, selected, session, toasts } from "../state/store.ts";
import { mapShown } from "../state/views.ts";
import { TimeLine } from "../time/Time.tsx";
import { Guard } from "../parts/guard.tsx";
import { opened, panels, popOut } from "./doing.ts";
import { Closed, Gone, Refused } from "./Gone.tsx";
import { Header } from "./Header.tsx";
import { KeysDialog } from "./KeysDialog.tsx";
import { Palette } from "./Palette.tsx";
import { Settings } from "./Settings.tsx";

export function App() {
  const { state } = session.value;
  if (phase.value === "refused" || phase.value === "full") return <Refused full={phase.value === "full"} />;
  if (!known.value) return ended.value ? <Gone whole /> : <Waiting />;
  const ready = entered.value;
  const gone = ended.value;
  return (
    <div class={`page${gone ? " gone" : ""}`}>
      {ready && <a class="skip" href="#panel" onClick={(event) => { event.preventDefault(); document.getElementById("panel")?.focus(); }}>{T.skip}</a>}
      <Header />
      {gone ? <Gone /> : state === "closed" && ready ? <Closed /> : null}
      {state === "start" ? <Start /> : ready ? <Room /> : <Connecting />}
      {opened.value === "palette" && <Palette />}
      {opened.value === "keys" && <KeysDialog />}
      {opened.value === "settings" && <Settings />}
      {exporting.value && <Export key={exporting.value.n} of={exporting.value} />}
      <div class="toasts" role="status" aria-live="polite">
        {toasts.value.map((toast) => <p key={toast.n} class={toast.level}>{toast.text}</p>)}
      </div>
    </div>
  );
}

function Waiting() {
  return <main class="loading" aria-busy="true"><p role="status">{T.waiting}</p></main>;
}

const PANELS: Record<Exclude<Tab, "map">, () => preact.JSX.Element> = { chat: Chats, peers: Peers, packets: Packets, media: Media, health: Health, learn: Learn };

function Room() {
  const shown: Tab = tab.value === "map" && !narrow.value ? "chat" : tab.value;
  useEffect(() => { if (shown !== tab.value) tab.value = shown; }, [shown]);
  const Panel = shown === "map" ? null : PANELS[shown];
  return (
    <main class={`room${mapShown.value ? "" : " alone"}`} style={{ "--split": `${split.value}%` }}>
      <h2 class="hidden">{T.room}</h2>
      {!narrow.value && <Map />}
      {!narrow.value && <Splitter />}
      <div class="side">
        <Tabs shown={shown} />
        <div class="panel" id="panel" role="tabpanel" aria-labelledby={`tab-${shown}`} tabIndex={-1}>
          <Guard key={shown}>{Panel ? <Panel /> : <Map />}</Guard>
          {selected.value !== null && <PeerSheet id={selected.value} />}
        </div>
      </div>
      {opened.value === "composer" && <Composer />}
      <TimeLine />
    </main>
  );
}

function Tabs({ shown }: { shown: Tab }) {
  const all = panels();
  const keys = (event: KeyboardEvent): void => {
    const at = all.indexOf(shown);
    const to = { ArrowRight: all[(at + 1) % all.length], ArrowLeft: all[(at + all.length - 1) % all.length], Home: all[0], End: all[all.length - 1] }[event.key];
    if (!to) return;
    event.preventDefault();
    tab.value = to;
    requestAnimationFrame(() => document.getElementById(`tab-${to}`)?.focus());
  };
  return (
    <div class="tabs">
      <div role="tablist" aria-label={T.panels} onKeyDown={keys}>
        {all.map((each) => (
          <button
            key={each} id={`tab-${each}`} role="tab" aria-selected={each === shown} aria-controls="panel" tabIndex={each === shown ? 0 : -1}
            onClick={() => { tab.value = each; }}
          >
            {T.tabs[each]}
          </button>
        ))}
      </div>
      <span class="grow" />
      <Button icon="send" label={T.composer.open} text={!narrow.value} keys="t" pressed={opened.value === "composer"} onClick={() => { opened.value = opened.value === "composer" ? null : "composer"; }} />
      {!narrow.value && <button class="button plain bare" aria-label={T.popOut} title={T.popOut} onClick={() => popOut(shown)}><Icon name="out" /></button>}
    </div>
  );
}

function Splitter() {
  const set = (value: number): void => { split.value = Math.round(Math.max(20, Math.min(65, value))); };
  const drag = (event: PointerEvent): void => {
    const element = event.currentTarget as HTMLElement;
    if (!element.hasPointerCapture(event.pointerId)) return;
    set((event.clientX / innerWidth) * 100);
  };
  return (
    <div
      class="splitter" role="separator" aria-orientation="vertical" tabIndex={0} aria-label={T.splitter} aria-valuenow={split.value} aria-valuemin={20} aria-valuemax={65}
      onPointerDown={(event) => { (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId); }} onPointerMove={drag}
      onDblClick={() => set(46)}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -2, ArrowRight: 2, Home: -100, End: 100 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        set(split.value + by);
      }}
    />
  );
}
