// What happened, step by step: who told whom what, why, and the Python that does the same.  The session is never held up.
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Step, Vec } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { motion, spot } from "../map/motion.ts";
import { Stages } from "../start/Connecting.tsx";
import { Icon } from "../parts/icons.tsx";
import { Button, Code, Empty, Problem } from "../parts/ui.tsx";
import { span, time, Word } from "../parts/words.tsx";
import { Hex } from "../packets/Hex.tsx";
import { show } from "../shell/doing.ts";
import { act, failure, link } from "../state/link.ts";
import { learned, readOnly, session } from "../state/store.ts";
import type { Failure } from "../wire/protocol.ts";
import { Actors } from "./Actors.tsx";

const L = T.learn;
const PAGE = 50, FAR = 800;
const SCENE = "comms-station-lesson";

export function Learn() {
  const told = learned.value;
  const at = useSignal<number | null>(null);
  const steps = useSignal<Map<number, Step>>(new Map());
  const overview = useSignal(false);
  const problem = useSignal<Failure | null>(null);
  const loading = useRef(new Set<number>());
  const n = at.value ?? (told && told.end > told.first ? told.first : null);
  const step = n === null ? undefined : steps.value.get(n);

  const load = (from: number): void => {
    const page = Math.floor(from / PAGE) * PAGE;
    if (loading.current.has(page)) return;
    loading.current.add(page);
    link.ask<{ first: number; end: number; steps: Step[] }>("learn", { from: page, count: PAGE }).then(
      (got) => {
        const next = new Map(steps.value);
        for (const each of got.steps) next.set(each.n, each);
        steps.value = next;
        problem.value = null;
      },
      (error) => { problem.value = failure(error); },
    ).finally(() => loading.current.delete(page));
  };
  useEffect(() => { if (n !== null && !step) load(n); }, [n, step, told?.end]);

  if (!told || told.end === told.first) return <Empty title={L.empty}><p>{L.emptyMore}</p></Empty>;
  const mine = told.chapters.find((each) => each.id === step?.chapter);
  const go = (to: number): void => { at.value = Math.max(told.first, Math.min(to, told.end - 1)); overview.value = false; };
  const keys = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || n === null || /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as HTMLElement).tagName)) return;
    if (event.key === "n" || event.key === "ArrowRight") go(n + 1);
    else if (event.key === "p" || event.key === "ArrowLeft") go(n - 1);
    else if (event.key === "o") overview.value = !overview.value;
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <section class="learn" aria-label={T.tabs.learn} onKeyDown={keys}>
      <nav aria-label={L.chapters}>
        <button class={overview.value ? "now" : ""} aria-current={overview.value ? "true" : undefined} onClick={() => { overview.value = true; }}>{L.overview}</button>
        <ol>
          {told.chapters.map((each, i) => (
            <li key={`${each.id}${each.first}`}>
              <button class={!overview.value && each === mine ? "now" : ""} aria-current={!overview.value && each === mine ? "step" : undefined} onClick={() => go(each.first)}>
                <span class="no">{i + 1}</span> <Word text={each.title} limit={40} /> <span class="dim">{each.count}</span>
              </button>
            </li>
          ))}
        </ol>
        <Doing />
      </nav>
      <div class="lesson scroll" tabIndex={0} role="region" aria-label={L.step}>
        {overview.value ? <Overview /> : (
          <>
            <div class="bar">
              <Button icon="left" label={L.previous} text={false} keys="p" off={n === told.first ? L.first : null} onClick={() => n !== null && go(n - 1)} />
              <Button icon="right" label={L.next} kind="main" keys="n" off={n === told.end - 1 ? L.last : null} onClick={() => n !== null && go(n + 1)} />
              <span class="dim">{L.at((n ?? 0) - told.first + 1, told.end - told.first)}</span>
              <span class="grow" />
              <Button label={L.newest} onClick={() => go(told.end - 1)} />
            </div>
            <Problem failure={problem.value} />
            {step ? <Lesson step={step} /> : <p class="dim" role="status">{T.waiting}</p>}
          </>
        )}
      </div>
    </section>
  );
}

function Lesson({ step }: { step: Step }) {
  const fields = Object.entries(step.fields);
  return (
    <article>
      <h3><Word text={step.title} limit={120} /></h3>
      <p class="why">{step.why}</p>
      <Actors from={step.from} to={step.to} name={step.name} />
      <p class="dim">{time(step.t, true)}{typeof step.seconds === "number" ? ` · ${L.later(span(step.seconds))}` : ""} · {L.whats[step.what]} <code>{step.name}</code></p>
      {fields.length > 0 && (
        <section><h4>{L.message}</h4>
          <dl class="facts">{fields.map(([key, value]) => <div key={key}><dt>{key}</dt><dd><Word text={typeof value === "string" ? value : JSON.stringify(value)} limit={400} /></dd></div>)}</dl>
        </section>
      )}
      {step.hex && <section><h4>{L.bytes}</h4><Hex hex={step.hex} cut={0} /></section>}
      {step.python && <section><h4>{L.python}</h4><Code text={step.python} label={L.python} /></section>}
      {step.wrong && <section class="wrong"><h4>{L.wrong}</h4><p>{step.wrong}</p></section>}
      <p class="dim">
        {step.file && <>{L.file} <code>{step.file}</code></>}{" "}
        {typeof step.packet === "number" && <button class="quiet" onClick={() => show(`n:${step.packet}`)}><Icon name="search" /> {L.packet(step.packet)}</button>}
      </p>
    </article>
  );
}

function Overview() {
  return <article><h3>{L.overview}</h3><p class="why">{L.overviewMore}</p><Stages /></article>;
}

// Where we were before we left for an island of our own.
const before = signal<Vec | null>(null);

function here(): Vec {
  const at = spot();
  return motion.at(session.peek().slot, motion.now(), false, at) ? [at.x, at.y, at.z] : [0, 0, 0];
}

// So far that nobody hears us: islands are of those who are near each other.
function leave(): void {
  const [x, y, z] = here();
  void act("move", { position: [x + FAR, y, z + FAR], instant: true }).then((done) => { if (done) before.value = [x, y, z]; });
}

function back(): void {
  void act("move", { position: before.value, instant: true }).then((done) => { if (done) before.value = null; });
}

// What causes the next chapter, where we may act.
function Doing() {
  const { can, state, island, rooms } = session.value;
  if (state !== "open" || readOnly.value) return null;
  const off = (verb: string): string | null => can[verb] ?? null;
  return (
    <div class="doing">
      <h3>{L.now}</h3>
      <Button label={L.say} off={off("chat")} onClick={() => void act("chat", { text: L.hello })} />
      <Button label={L.walk} off={off("walk")} onClick={() => void act("walk", { point: [24, 0, 24], pace: "jog" })} />
      <Button label={L.emote} off={off("emote")} onClick={() => void act("emote", { urn: "wave" })} />
      {island && (before.value ? <Button label={L.back} off={off("move")} onClick={back} /> : <Button label={L.away} off={off("move")} onClick={leave} />)}
      {island && (rooms.some((each) => each.label === "scene")
        ? <Button label={L.leaveScene} onClick={() => void act("leave_scene")} />
        : <Button label={L.enterScene} onClick={() => void act("enter_scene", { scene: SCENE, parcel: here().filter((_, i) => i !== 1).map((each) => Math.floor(each / 16)) })} />)}
    </div>
  );
}
