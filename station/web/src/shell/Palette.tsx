// Every action by its name: what is typed is looked for in the actions, the peers and the kinds.
import { useSignal } from "@preact/signals";
import { useId, useRef, useEffect } from "preact/hooks";
import { T } from "../texts.ts";
import { Dialog } from "../parts/ui.tsx";
import { nameOf, plain } from "../parts/words.tsx";
import { act } from "../state/link.ts";
import * as settings from "../state/settings.ts";
import { peers, selected, session, stats } from "../state/store.ts";
import { filter, go, live, nextTheme, opened, panels, pause, popOut, preset, record, report, save, show } from "./doing.ts";

interface Action { name: string; hint?: string; group: string; run(): void }

function actions(): Action[] {
  const P = T.palette;
  const all: Action[] = [
    ...panels().map((tab) => ({ name: P.go(T.tabs[tab]), group: P.groups.go, run: () => go(tab) })),
    { name: P.talk, hint: "1", group: P.groups.go, run: () => preset(1) },
    { name: P.inspect, hint: "2", group: P.groups.go, run: () => preset(2) },
    { name: P.study, hint: "3", group: P.groups.go, run: () => preset(3) },
    { name: P.filter, hint: "/", group: P.groups.do, run: filter },
    { name: P.compose, hint: "t", group: P.groups.do, run: () => { opened.value = "composer"; } },
    { name: session.value.record ? P.stopRecord : P.record, hint: "r", group: P.groups.do, run: record },
    ...(typeof session.value.recording === "number" ? [{ name: T.exports.button, group: P.groups.do, run: save }] : []),
    { name: P.pause, hint: "space", group: P.groups.do, run: pause },
    { name: P.live, group: P.groups.do, run: live },
    { name: P.report, group: P.groups.do, run: report },
    { name: P.popOut, group: P.groups.do, run: () => popOut(settings.tab.value) },
    { name: P.close, group: P.groups.do, run: () => void act("close") },
    { name: P.theme, group: P.groups.look, run: nextTheme },
    { name: P.dense, group: P.groups.look, run: () => { settings.dense.value = !settings.dense.value; } },
    { name: P.parcels, group: P.groups.look, run: () => { settings.parcels.value = !settings.parcels.value; } },
    { name: P.settings, group: P.groups.look, run: () => { opened.value = "settings"; } },
    { name: P.keys, hint: "?", group: P.groups.look, run: () => { opened.value = "keys"; } },
  ];
  for (const peer of peers.values()) {
    if (peer.kind !== "me") all.push({ name: plain(nameOf(peer.id, peer.name), 40), hint: plain(peer.id, 14), group: P.groups.peers, run: () => { selected.value = peer.id; } });
  }
  for (const kind of Object.keys(stats.value?.kinds_in ?? {})) all.push({ name: P.kind(kind), group: P.groups.kinds, run: () => show(`kind:${kind}`) });
  return session.value.state === "start" ? all.filter((each) => each.group === P.groups.look) : all;
}

export function Palette() {
  const text = useSignal("");
  const at = useSignal(0);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = actions().filter((each) => words.every((word) => `${each.group} ${each.name} ${each.hint ?? ""}`.toLowerCase().includes(word))).slice(0, 60);
  const now = Math.min(at.value, found.length - 1);
  useEffect(() => { list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }); }, [now]);
  const run = (action: Action | undefined): void => {
    if (!action) return;
    opened.value = null;
    action.run();
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") at.value = Math.min(now + 1, found.length - 1);
    else if (event.key === "ArrowUp") at.value = Math.max(now - 1, 0);
    else if (event.key === "Enter") run(found[now]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={T.palette.title} onClose={() => { if (opened.value === "palette") opened.value = null; }} bare>
      <div class="palette">
        <input
          autoFocus role="combobox" aria-expanded="true" aria-controls={id} aria-label={T.palette.title} placeholder={T.palette.hint} spellcheck={false}
          aria-activedescendant={found[now] ? `${id}-${now}` : undefined} value={text.value} onKeyDown={keys}
          onInput={(event) => { text.value = event.currentTarget.value; at.value = 0; }}
        />
        <ul ref={list} id={id} role="listbox" aria-label={T.palette.title}>
          {found.map((each, i) => (
            <li key={`${each.group}${each.name}${each.hint ?? ""}`} id={`${id}-${i}`} role="option" aria-selected={i === now} onClick={() => run(each)}>
              <span class="group">{each.group}</span><bdi>{each.name}</bdi>{each.hint && <kbd>{each.hint}</kbd>}
            </li>
          ))}
        </ul>
        {!found.length && <p class="dim none" role="status">{T.palette.none}</p>}
      </div>
    </Dialog>
  );
}
