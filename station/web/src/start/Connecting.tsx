// The way in, step by step with times; the same picture is Learn's overview.
import { useSignal } from "@preact/signals";
import type { Failure, Finding } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Button, Problem } from "../parts/ui.tsx";
import { span, Word } from "../parts/words.tsx";
import { Findings } from "../health/Health.tsx";
import { act, failure, link } from "../state/link.ts";
import { readOnly, session } from "../state/store.ts";
import { lastOpened } from "./opening.ts";

const SIGNS = { waiting: "○", running: "◌", done: "✓", failed: "✕" } as const;

export function Stages() {
  return (
    <ol class="stages">
      {session.value.stages.map((stage) => (
        <li key={stage.name} class={stage.state} aria-current={stage.state === "running" ? "step" : undefined}>
          <span class="sign" aria-hidden="true">{SIGNS[stage.state]}</span>
          <span class="stage"><strong>{stage.label}</strong><span class="hidden"> {T.connecting.stages[stage.state]}</span>{stage.text ? <span class="dim block"><Word text={stage.text} limit={200} /></span> : null}</span>
          <span class="dim num">{typeof stage.seconds === "number" ? span(stage.seconds) : ""}</span>
        </li>
      ))}
    </ol>
  );
}

export function Connecting() {
  const { state, target, error, source } = session.value;
  const findings = useSignal<Finding[] | null>(null);
  const problem = useSignal<Failure | null>(null);
  const busy = useSignal(false);
  const failed = state === "closed" || Boolean(error);
  const doctor = (): void => {
    busy.value = true;
    link.ask<{ findings: Finding[] }>("doctor").then((told) => { findings.value = told.findings; }, (refused) => { problem.value = failure(refused); }).finally(() => { busy.value = false; });
  };
  return (
    <main class="connecting">
      <div class="card">
        <h2>{failed ? T.connecting.failed : source === "own" ? T.connecting.own : T.connecting.title}</h2>
        <p class="dim"><Word text={source === "own" ? T.ownRealm : target} limit={100} /></p>
        <Stages />
        {error && (
          <div class="problem" role="alert"><strong><Word text={error.text} limit={400} /></strong>{error.fix && <p>{error.fix}</p>}{error.retry && <p class="dim">{T.connecting.retry(error.retry)}</p>}</div>
        )}
        <Problem failure={problem.value} />
        {findings.value && <Findings all={findings.value} />}
        <div class="buttons">
          {failed
            ? (
              <>
                {lastOpened.value && <Button label={T.connecting.again} kind="main" off={readOnly.value ? T.readOnly : null} onClick={() => void act("open", lastOpened.value ?? {})} />}
                <Button label={busy.value ? T.health.examining : T.connecting.doctor} off={busy.value ? T.health.examining : null} onClick={doctor} />
                <Button label={T.connecting.other} off={readOnly.value ? T.readOnly : null} onClick={() => void act("close")} />
              </>
            )
            : <Button label={T.connecting.cancel} off={readOnly.value ? T.readOnly : null} onClick={() => void act("close")} />}
        </div>
      </div>
    </main>
  );
}
