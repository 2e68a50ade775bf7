// S0: a page without its Station, or without the right to it.
import { T } from "../texts.ts";
import { Button } from "../parts/ui.tsx";
import { time, Word } from "../parts/words.tsx";
import { lastOpened } from "../start/opening.ts";
import { act, link } from "../state/link.ts";
import { endedAt, readOnly, session } from "../state/store.ts";

export function Refused({ full }: { full: boolean }) {
  return (
    <main class="stop">
      <img src="icon.svg" alt="" width="48" height="48" />
      <h1>{full ? T.gone.full : T.gone.refused}</h1>
      <p>{full ? T.gone.fullLong : T.gone.refusedLong}</p>
      {!full && <pre><code>dcl-comms station</code></pre>}
      {!full && <p class="dim">{T.gone.refusedMore}</p>}
    </main>
  );
}

export function Gone({ whole = false }: { whole?: boolean }) {
  const text = (
    <>
      <strong>{T.gone.ended}</strong>
      <span>{endedAt.value ? T.gone.at(time(endedAt.value)) : ""} {T.gone.again}</span>
      <Button label={T.gone.retry} onClick={() => link.connect()} />
    </>
  );
  if (!whole) return <div class="banner bad" role="alert">{text}</div>;
  return <main class="stop"><img src="icon.svg" alt="" width="48" height="48" /><h1>{T.gone.ended}</h1><p>{T.gone.again}</p><pre><code>dcl-comms station</code></pre><Button label={T.gone.retry} onClick={() => link.connect()} /></main>;
}

// The room is closed for good: what it was stays in sight, with why, and what may be done.
export function Closed() {
  const { error } = session.value;
  const off = readOnly.value ? T.readOnly : null;
  return (
    <div class="banner bad" role="alert">
      <strong>{T.gone.closed}</strong>
      {error && <span><Word text={error.text} limit={300} /> {error.fix}</span>}
      {lastOpened.value && <Button label={T.connecting.again} off={off} onClick={() => void act("open", lastOpened.value ?? {})} />}
      <Button label={T.connecting.other} off={off} onClick={() => void act("close")} />
    </div>
  );
}
