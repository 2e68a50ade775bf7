// The composer: a packet from a form, how it goes out, and the Python call that does the same.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Failure, KindForm } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Button, Code, Problem, Select } from "../parts/ui.tsx";
import { nameOf, plain } from "../parts/words.tsx";
import { Hex } from "../packets/Hex.tsx";
import { failure, link } from "../state/link.ts";
import { favourites } from "../state/settings.ts";
import { peers, peersVersion, readOnly, session, toast } from "../state/store.ts";
import { opened } from "../shell/doing.ts";
import { draft } from "./edit.ts";
import { Form, starting } from "./Form.tsx";

interface Encoded { hex: string; size: number; python: string; reliable: boolean; notes: string[] }
const C = T.composer;
const kept = { kinds: null as KindForm[] | null, kind: "chat", fields: {} as Record<string, Record<string, unknown>>, hex: "" };

export function Composer() {
  const kinds = useSignal<KindForm[]>(kept.kinds ?? []);
  const kind = useSignal(draft.value?.kind ?? kept.kind);
  const fields = useSignal<Record<string, unknown>>(draft.value?.fields ?? kept.fields[kind.value] ?? {});
  const hex = useSignal(draft.value?.hex ?? kept.hex);
  const to = useSignal("");
  const reliable = useSignal<"" | "yes" | "no">("");
  const topic = useSignal(draft.value?.topic ?? "");
  const times = useSignal(1);
  const hz = useSignal(5);
  const made = useSignal<Encoded | null>(null);
  const problem = useSignal<Failure | null>(null);
  const form = kinds.value.find((each) => each.kind === kind.value);

  useEffect(() => {
    draft.value = null;
    if (!kept.kinds) link.ask<{ kinds: KindForm[] }>("kinds").then((told) => { kinds.value = kept.kinds = told.kinds; }, (error) => { problem.value = failure(error); });
  }, []);
  const args = (): Record<string, unknown> => ({
    ...(kind.value === "hex" ? { hex: hex.value.replace(/\s+/g, "") } : { kind: kind.value, fields: { ...(form ? starting(form.fields) : {}), ...fields.value } }),
    ...(to.value ? { to: [to.value] } : {}), ...(reliable.value ? { reliable: reliable.value === "yes" } : {}), ...(topic.value ? { topic: topic.value } : {}),
  });
  useEffect(() => {
    Object.assign(kept, { kind: kind.value, hex: hex.value });
    kept.fields[kind.value] = fields.value;
    if (kind.value !== "hex" && !form) return;
    if (kind.value === "hex" && !hex.value.trim()) { made.value = problem.value = null; return; }
    const timer = setTimeout(() => {
      link.ask<Encoded>("encode", args()).then((told) => { made.value = told; problem.value = null; }, (error) => { made.value = null; problem.value = failure(error); });
    }, 150);
    return () => clearTimeout(timer);
  }, [kind.value, fields.value, hex.value, to.value, reliable.value, topic.value, form]);

  const off = readOnly.value ? T.readOnly : (session.value.can["send"] ?? null);
  const send = (): void => {
    link.ask<{ size: number }>("send", { ...args(), ...(times.value > 1 ? { times: times.value, hz: hz.value } : {}) }).then(
      (done) => { problem.value = null; toast(times.value > 1 ? C.sentMany(times.value, done.size) : C.sent(done.size)); },
      (error) => { problem.value = failure(error); },
    );
  };
  const close = (): void => { opened.value = null; };
  peersVersion.value;
  const people: [string, string][] = [["", C.everybody], ...[...peers.values()].filter((peer) => peer.kind !== "me" && !peer.pulse).slice(0, 200).map((peer): [string, string] => [peer.id, plain(nameOf(peer.id, peer.name), 40)])];
  const choose = (next: string): void => { kind.value = next; fields.value = kept.fields[next] ?? {}; };
  return (
    <section class="composer" aria-label={C.title} onKeyDown={(event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !off) send(); }}>
      <header>
        <h3>{C.title}</h3>
        <Select label={C.kind} value={kind.value} of={[...kinds.value.map((each): [string, string] => [each.kind, each.kind]), ["hex", C.raw]]} onChange={choose} />
        {favourites.value.length > 0 && (
          <Select label={C.favourites} value="" of={[["", C.choose], ...favourites.value.map((each, i): [string, string] => [String(i), each.name])]} onChange={(i) => { const one = favourites.value[Number(i)]; if (one) { kind.value = one.kind; fields.value = one.fields; } }} />
        )}
        <span class="grow" />
        <Button label={C.keep} onClick={() => { favourites.value = [{ name: `${kind.value} ${favourites.value.length + 1}`, kind: kind.value, fields: fields.value }, ...favourites.value].slice(0, 20); toast(C.kept); }} />
        <Button icon="close" label={T.parts.close} text={false} onClick={close} />
      </header>
      <div class="compose">
        <div class="fields">
          {kind.value === "hex"
            ? <label class="field"><span class="label">{C.bytes}</span><textarea class="mono" rows={4} spellcheck={false} value={hex.value} onInput={(event) => { hex.value = event.currentTarget.value; }} /></label>
            : form && <Form key={form.kind} fields={form.fields} values={fields.value} problem={problem.value} onChange={(next) => { fields.value = next; }} />}
        </div>
        <div class="way">
          <Select label={C.to} value={to.value} of={people} onChange={(id) => { to.value = id; }} />
          <Select label={C.delivery} value={reliable.value} of={[["", C.asExplorers(form?.reliable ?? made.value?.reliable)], ["yes", C.reliable], ["no", C.lossy]]} onChange={(way) => { reliable.value = way; }} />
          <label class="field"><span class="label">{C.topic}</span><input type="text" value={topic.value} spellcheck={false} onInput={(event) => { topic.value = event.currentTarget.value; }} /></label>
          <div class="pair">
            <label class="field"><span class="label">{C.times}</span><input type="number" min={1} max={200} value={times.value} onInput={(event) => { times.value = Math.max(1, Math.min(200, Number(event.currentTarget.value) || 1)); }} /></label>
            <label class="field"><span class="label">{C.hz}</span><input type="number" min={0.1} max={20} step={0.1} value={hz.value} disabled={times.value < 2} onInput={(event) => { hz.value = Math.max(0.1, Math.min(20, Number(event.currentTarget.value) || 1)); }} /></label>
          </div>
        </div>
        <div class="made">
          {made.value && (
            <>
              <h4>{C.same}</h4>
              <Code text={made.value.python} label={C.same} />
              <h4>{C.preview} <span class="dim">{T.packets.bytes(made.value.size)}</span></h4>
              <Hex hex={made.value.hex} cut={made.value.size - made.value.hex.length / 2} />
              {made.value.notes.map((note) => <p key={note} class="hint warn">{note}</p>)}
            </>
          )}
          <Problem failure={problem.value} />
          <div class="buttons"><Button icon="send" label={times.value > 1 ? C.sendMany(times.value) : C.send} kind="main" off={off} keys="Control+Enter" onClick={send} />{off && <span class="dim">{off}</span>}</div>
        </div>
      </div>
    </section>
  );
}

