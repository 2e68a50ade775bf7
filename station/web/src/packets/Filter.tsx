// The filter's field: evaluated by the Station; an error stands under it with its column, and the last good one stays in force.
import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import type { Failure } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Button, Problem } from "../parts/ui.tsx";
import { link } from "../state/link.ts";
import { packetsView, viewErrors } from "../state/views.ts";

interface FieldOf { name: string; about: string; values?: string[] | null }
const fields = { all: null as FieldOf[] | null };

export function Filter() {
  const text = useSignal(packetsView.value.filter);
  const own = useSignal<Failure | null>(null);
  const offered = useSignal<{ text: string; about: string }[]>([]);
  const at = useSignal(-1);
  const list = useId();
  useEffect(() => { if (packetsView.value.filter !== text.value.trim()) { text.value = packetsView.value.filter; own.value = null; } }, [packetsView.value.filter]);
  useEffect(() => {
    if (!fields.all) link.ask<{ fields: FieldOf[] }>("filter", {}).then((told) => { fields.all = told.fields ?? []; }, () => { fields.all = null; });
  }, []);
  useEffect(() => {
    if (text.value.trim() === packetsView.value.filter) { own.value = null; return; }
    const timer = setTimeout(() => {
      const now = text.value.trim();
      const take = (): void => { packetsView.value = { ...packetsView.value, filter: now, anchor: null }; };
      if (!now) { own.value = null; return take(); }
      link.ask<{ ok: boolean; text?: string; column?: number }>("filter", { text: now }).then(
        (told) => {
          if (text.value.trim() !== now) return;
          own.value = told.ok ? null : { code: "filter", text: told.text ?? "", column: told.column ?? null };
          if (told.ok) take();
        },
        () => undefined,
      );
    }, 120);
    return () => clearTimeout(timer);
  }, [text.value]);

  const offer = (): void => { offered.value = complete(text.value); at.value = -1; };
  const take = (what: string): void => {
    text.value = text.value.replace(/[^\s()!&|]*$/, what);
    offered.value = what.endsWith(":") ? complete(text.value) : [];
    at.value = -1;
  };
  const keys = (event: KeyboardEvent): void => {
    const all = offered.value;
    if (event.key === "ArrowDown" && all.length) at.value = Math.min(at.value + 1, all.length - 1);
    else if (event.key === "ArrowUp" && all.length) at.value = Math.max(at.value - 1, -1);
    else if (event.key === "Enter" && all[at.value]) take(all[at.value]!.text);
    else if (event.key === "Escape" && all.length) offered.value = [];
    else if (event.key === "Escape" && text.value) text.value = "";
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const problem = own.value ?? viewErrors.value["packets"] ?? null;
  return (
    <div class="bar filter">
      <div class="field grow">
        <input
          id="filter" type="text" role="combobox" aria-label={T.filter.title} placeholder={T.filter.hint} spellcheck={false} autocomplete="off" class="mono"
          aria-invalid={problem ? true : undefined} aria-expanded={offered.value.length > 0} aria-controls={list} aria-autocomplete="list"
          aria-activedescendant={offered.value[at.value] ? `${list}-${at.value}` : undefined} maxLength={500} value={text.value}
          onInput={(event) => { text.value = event.currentTarget.value; offer(); }} onKeyDown={keys} onBlur={() => { offered.value = []; }}
        />
        <ul id={list} role="listbox" aria-label={T.filter.offered} class="complete" hidden={!offered.value.length}>
          {offered.value.map((each, i) => (
            <li key={each.text} id={`${list}-${i}`} role="option" aria-selected={i === at.value} onPointerDown={(event) => { event.preventDefault(); take(each.text); }}>
              <code>{each.text}</code> <span class="dim">{each.about}</span>
            </li>
          ))}
        </ul>
        {problem && <Problem failure={problem} text={text.value} />}
      </div>
      {text.value && <Button icon="close" label={T.filter.clear} text={false} onClick={() => { text.value = ""; }} />}
      {packetsView.value.highlight && <Button icon="close" label={T.filter.highlight(packetsView.value.highlight)} onClick={() => { packetsView.value = { ...packetsView.value, highlight: "" }; }} />}
    </div>
  );
}

function complete(text: string): { text: string; about: string }[] {
  const word = /[^\s()!&|]*$/.exec(text)?.[0] ?? "";
  const [, name, value] = /^([\w.]+):(.*)$/.exec(word) ?? [];
  if (name !== undefined) {
    const field = fields.all?.find((each) => each.name === name);
    return (field?.values ?? []).filter((each) => each.startsWith(value ?? "") && each !== value).slice(0, 12).map((each) => ({ text: `${name}:${each}`, about: "" }));
  }
  if (!word) return [];
  return (fields.all ?? []).filter((each) => each.name.startsWith(word)).slice(0, 12).map((each) => ({ text: each.values === undefined || each.values === null ? each.name : `${each.name}:`, about: each.about }));
}
