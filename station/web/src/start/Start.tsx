// The first screen: a realm of one's own, a realm, a connection string, a recording; and who and where we are there.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Failure, Grants, Realm } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Icon } from "../parts/icons.tsx";
import { Button, Check, Problem, Select } from "../parts/ui.tsx";
import { plain, short, span, Word } from "../parts/words.tsx";
import { failure, link } from "../state/link.ts";
import { recent } from "../state/settings.ts";
import { now, readOnly, welcome } from "../state/store.ts";
import { at, open, scene, who, withMedia } from "./opening.ts";
import { Recordings } from "./Recordings.tsx";

const S = T.start;
export const off = (): string | null => (readOnly.value ? T.readOnly : null);

export function Start() {
  return (
    <main class="start scroll">
      <div class="intro"><h2>{S.title}</h2><p>{S.intro}</p></div>
      <div class="cards"><Own /><Realms /><Strings /><Recordings /></div>
      <Where />
    </main>
  );
}

function Own() {
  const bots = useSignal(true);
  const problem = useSignal<Failure | null>(null);
  return (
    <section class="card own" aria-labelledby="own">
      <h3 id="own"><Icon name="home" />{S.own}</h3>
      <p>{S.ownMore}</p>
      <Check label={S.bots} on={bots.value} onChange={(on) => { bots.value = on; }} />
      <Problem failure={problem.value} />
      <div class="buttons"><Button label={S.ownOpen} kind="main" off={off()} onClick={() => void open({ own: { bots: bots.value ? 3 : 0 } }).then((no) => { problem.value = no; })} /></div>
    </section>
  );
}

function Realms() {
  const text = useSignal("");
  const list = useSignal<Realm[] | null>(null);
  const problem = useSignal<Failure | null>(null);
  const busy = useSignal(false);
  const fetchList = (): void => {
    busy.value = true;
    link.ask<{ realms: Realm[] }>("realms").then((told) => { list.value = told.realms; problem.value = null; }, (error) => { problem.value = failure(error); }).finally(() => { busy.value = false; });
  };
  const enter = (url: string): void => {
    if (url.trim() && !off()) void open({ target: url.trim() }, url.includes("token") ? undefined : url.trim()).then((no) => { problem.value = no; });
  };
  return (
    <section class="card" aria-labelledby="realms">
      <h3 id="realms"><Icon name="globe" />{S.realm}</h3>
      <p>{S.realmMore}</p>
      <form onSubmit={(event) => { event.preventDefault(); enter(text.value); }}>
        <label class="field"><span class="label">{S.url}</span><input type="text" inputMode="url" spellcheck={false} placeholder="https://realm.example" value={text.value} onInput={(event) => { text.value = event.currentTarget.value; }} /></label>
      </form>
      <Problem failure={problem.value} />
      {recent.value.length > 0 && !list.value && <ul class="picks" aria-label={S.recent}>{recent.value.map((each) => <li key={each}><button onClick={() => enter(each)}><Word text={each} limit={60} /></button></li>)}</ul>}
      {list.value && (
        <ul class="picks realms" aria-label={S.realms}>
          {list.value.map((each) => (
            <li key={each.url}><button aria-disabled={off() ? true : undefined} title={off() ?? undefined} onClick={() => enter(each.url)}>
              <strong><Word text={each.name} limit={30} /></strong><span class="dim">{each.adapter ?? ""}</span><span class={`dim ${each.healthy === false ? "bad" : ""}`}>{each.healthy === false ? S.ill : S.players(each.players ?? 0)}</span>
            </button></li>
          ))}
          {!list.value.length && <li class="dim">{S.noRealms}</li>}
        </ul>
      )}
      <div class="buttons">
        <Button label={S.connect} kind="main" off={off() ?? (text.value.trim() ? null : S.urlFirst)} onClick={() => enter(text.value)} />
        <Button label={busy.value ? S.asking : problem.value && !list.value ? S.retry : S.list} off={busy.value ? S.asking : null} onClick={fetchList} />
      </div>
    </section>
  );
}

interface Checked { kind: string; shown: string; room?: string | null; identity?: string | null; expires?: number | null; grants?: Grants | null; error?: Failure | null }

function Strings() {
  const field = useRef<HTMLInputElement>(null);
  const filled = useSignal(false);
  const told = useSignal<Checked | null>(null);
  const problem = useSignal<Failure | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const look = (): void => {
    const text = field.current?.value.trim() ?? "";
    filled.value = Boolean(text);
    problem.value = null;
    clearTimeout(timer.current);
    if (!text) { told.value = null; return; }
    timer.current = setTimeout(() => {
      link.ask<Checked>("check", { text }).then((got) => { told.value = got; problem.value = got.error ?? null; }, (error) => { told.value = null; problem.value = failure(error); });
    }, 200);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  // It goes one way: the field is empty as soon as it is sent, and nothing of it is shown again.
  const enter = (): void => {
    const target = field.current?.value.trim();
    if (!target || off()) return;
    if (field.current) field.current.value = "";
    filled.value = false;
    told.value = null;
    void open({ target }).then((no) => { problem.value = no; });
  };
  const left = told.value?.expires ? told.value.expires - now.value : null;
  const grants = Object.entries(told.value?.grants ?? {}).filter(([, on]) => on === true || (Array.isArray(on) && on.length)).map(([name]) => name);
  return (
    <section class="card" aria-labelledby="strings">
      <h3 id="strings"><Icon name="link" />{S.string}</h3>
      <p>{S.stringMore}</p>
      <form autocomplete="off" onSubmit={(event) => { event.preventDefault(); enter(); }}>
        <label class="field"><span class="label">{S.string}</span><input ref={field} type="text" autocomplete="off" spellcheck={false} placeholder="livekit:wss://…?access_token=…" onInput={look} aria-invalid={problem.value ? true : undefined} /></label>
      </form>
      {told.value && !told.value.error && (
        <dl class="facts">
          <div><dt>{S.kind}</dt><dd><span class="badge">{told.value.kind}</span></dd></div>
          {told.value.room && <div><dt>{S.room}</dt><dd><Word text={told.value.room} limit={40} /></dd></div>}
          {told.value.identity && <div><dt>{S.identity}</dt><dd><Word text={short(told.value.identity)} /></dd></div>}
          {left !== null && <div><dt>{T.health.expires}</dt><dd class={left < 0 ? "bad" : ""}>{left < 0 ? S.since(span(-left)) : span(left)}</dd></div>}
          {grants.length > 0 && <div><dt>{T.health.grants}</dt><dd>{grants.map((name) => <span key={name} class="badge">{plain(name, 30)}</span>)}</dd></div>}
        </dl>
      )}
      <Problem failure={problem.value} />
      <div class="buttons"><Button label={S.connect} kind="main" off={off() ?? (filled.value ? null : S.stringFirst)} onClick={enter} /></div>
    </section>
  );
}

function Where() {
  const wallets = welcome.value?.wallets ?? [];
  const set = (i: 0 | 1, text: string): void => { const next: [number, number] = [...at.value]; next[i] = Number(text) || 0; at.value = next; };
  return (
    <section class="who" aria-labelledby="who">
      <h3 id="who">{S.who}</h3>
      <div class="form across">
        <Select label={S.as} value={String(who.value)} of={wallets.map((each): [string, string] => [String(each.n), `${plain(each.name, 30)}${each.address ? ` · ${short(each.address)}` : ""}`])} onChange={(n) => { who.value = Number(n); }} />
        <label class="field"><span class="label">{S.x}</span><input type="number" step={1} value={at.value[0]} onInput={(event) => set(0, event.currentTarget.value)} /></label>
        <label class="field"><span class="label">{S.z}</span><input type="number" step={1} value={at.value[1]} onInput={(event) => set(1, event.currentTarget.value)} /></label>
        <label class="field"><span class="label">{S.scene}</span><input type="text" spellcheck={false} placeholder={S.noScene} value={scene.value.id} onInput={(event) => { scene.value = { ...scene.value, id: event.currentTarget.value.trim() }; }} /></label>
        {scene.value.id && (
          <>
            <label class="field"><span class="label">{S.parcelX}</span><input type="number" step={1} value={scene.value.x} onInput={(event) => { scene.value = { ...scene.value, x: Number(event.currentTarget.value) || 0 }; }} /></label>
            <label class="field"><span class="label">{S.parcelZ}</span><input type="number" step={1} value={scene.value.z} onInput={(event) => { scene.value = { ...scene.value, z: Number(event.currentTarget.value) || 0 }; }} /></label>
          </>
        )}
      </div>
      <p class="dim">{S.whoMore}</p>
      <Check label={S.media} on={withMedia.value} onChange={(on) => { withMedia.value = on; }} />
      <p class="dim">{S.mediaMore}</p>
    </section>
  );
}
