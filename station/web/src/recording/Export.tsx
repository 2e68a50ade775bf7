// A recording as a file: whole, or as lines for other programs, filtered, and without names and words.
import { useSignal } from "@preact/signals";
import type { Failure } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Button, Check, Dialog, Problem, Select } from "../parts/ui.tsx";
import { bytes, number, Word } from "../parts/words.tsx";
import { failure } from "../state/link.ts";
import { readOnly, session } from "../state/store.ts";
import { open } from "../start/opening.ts";
import { download, exporting, type Saved } from "./exporting.ts";

const E = T.exports;

export function Export({ of }: { of: Saved }) {
  const form = useSignal("mcap");
  const filter = useSignal("");
  const redact = useSignal(false);
  const busy = useSignal(false);
  const problem = useSignal<Failure | null>(null);
  const said = useSignal("");
  const lines = form.value !== "mcap";
  const off = readOnly.value ? T.readOnly : busy.value ? E.making : null;
  const take = (): void => {
    if (off) return;
    busy.value = true;
    download(of.n, { as: form.value, filter: filter.value, redact: redact.value }).then(
      (made) => { problem.value = null; said.value = [E.given(made.name), made.notice].filter(Boolean).join(" "); },
      (error) => { problem.value = failure(error); said.value = ""; },
    ).finally(() => { busy.value = false; });
  };
  const close = (): void => { exporting.value = null; };
  return (
    <Dialog title={of.bytes === undefined ? E.title : E.saved} onClose={close}>
      <dl class="facts">
        <div><dt>{E.file}</dt><dd><Word text={of.name} limit={80} /></dd></div>
        {of.bytes !== undefined && <div><dt>{E.size}</dt><dd>{bytes(of.bytes)}, {E.packets(number(of.packets ?? 0))}</dd></div>}
        {(of.lost ?? 0) > 0 && <div class="bad"><dt>{E.lost}</dt><dd>{number(of.lost ?? 0)}</dd></div>}
      </dl>
      <form class="form" onSubmit={(event) => { event.preventDefault(); take(); }}>
        <Select label={E.as} value={form.value} of={E.forms} onChange={(to) => { form.value = to; problem.value = null; }} />
        {lines && (
          <>
            <label class="field"><span class="label">{E.filter}</span>
              <input type="text" class="mono" spellcheck={false} autocomplete="off" placeholder="kind:chat" maxLength={500} value={filter.value} aria-invalid={problem.value?.code === "filter" ? true : undefined} onInput={(event) => { filter.value = event.currentTarget.value; }} />
            </label>
            <Check label={E.redact} on={redact.value} onChange={(on) => { redact.value = on; }} />
          </>
        )}
        <Problem failure={problem.value} text={filter.value} />
        <p class="hint" role="status">{said.value || E.words}</p>
        <div class="buttons">
          <Button icon="save" label={busy.value ? E.making : E.take} kind="main" off={off} onClick={take} />
          {session.value.recording !== of.n && <Button icon="play" label={session.value.state === "start" ? E.play : E.leaveAndPlay} off={readOnly.value ? T.readOnly : null} onClick={() => { close(); void open({ recording: of.n }); }} />}
        </div>
      </form>
    </Dialog>
  );
}
