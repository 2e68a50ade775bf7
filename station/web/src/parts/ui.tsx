// Small pieces that every panel uses.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import type { Failure } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { copy } from "../state/link.ts";
import { Icon, type IconName } from "./icons.tsx";

interface Press {
  icon?: IconName; label: string; onClick(): void; text?: boolean; pressed?: boolean; off?: string | null; kind?: "main" | "plain" | "danger"; fill?: boolean; keys?: string; id?: string; about?: string | undefined;
}
/** A button; `off`: why it can't be pressed. It stays in reach of the keyboard, and says why. */
export function Button({ icon, label, onClick, text = true, pressed, off, kind = "plain", fill, keys, id, about }: Press) {
  return (
    <button
      type="button" id={id} class={`button ${kind}${text ? "" : " bare"}`} aria-pressed={pressed} aria-disabled={off ? true : undefined}
      aria-label={text ? undefined : label} title={off ?? about ?? (text ? undefined : label) ?? undefined} aria-keyshortcuts={keys}
      onClick={() => { if (!off) onClick(); }}
    >
      {icon && <Icon name={icon} fill={fill} />}
      {text && <span>{label}</span>}
    </button>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="empty"><p class="title">{title}</p>{children}</div>;
}

/** What refused something, with what helps; at a field, with a caret at the column. */
export function Problem({ failure, text }: { failure: Failure | null | undefined; text?: string }) {
  if (!failure) return null;
  return (
    <div class="problem" role="alert">
      {text !== undefined && failure.column ? <pre class="caret" aria-hidden="true">{`${text}\n${" ".repeat(failure.column - 1)}^`}</pre> : null}
      <span>{failure.text}</span>
      {failure.column ? <span class="dim"> {T.parts.column(failure.column)}</span> : null}
      {failure.fix ? <span class="fix"> {failure.fix}</span> : null}
    </div>
  );
}

export function Code({ text, label }: { text: string; label: string }) {
  return (
    <div class="code">
      <pre tabIndex={0} aria-label={label}><code>{text}</code></pre>
      <Button icon="copy" label={T.parts.copy(label)} text={false} onClick={() => void copy(text, T.parts.copied)} />
    </div>
  );
}

/** A modal dialog: the element's own, so Esc and the focus are the browser's. */
export function Dialog({ title, onClose, children, wide = false, bare = false }: { title: string; onClose(): void; children: ComponentChildren; wide?: boolean; bare?: boolean }) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => { if (before instanceof HTMLElement && before.isConnected) before.focus(); };
  }, []);
  return (
    <dialog
      ref={element} class={`${wide ? "wide" : ""}${bare ? " bare" : ""}`} aria-labelledby={heading}
      onClose={onClose} onClick={(event) => { if (event.target === element.current) onClose(); }}
    >
      <div class="sheet">
        <header class={bare ? "hidden" : ""}>
          <h2 id={heading}>{title}</h2>
          <Button icon="close" label={T.parts.close} text={false} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface Pick<Value extends string> { label: string; value: Value; of: [Value, string][]; onChange(value: Value): void; hidden?: boolean }
export function Select<Value extends string>({ label, value, of, onChange, hidden }: Pick<Value>) {
  return (
    <label class="field">
      <span class={hidden ? "hidden" : "label"}>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as Value)}>
        {of.map(([each, text]) => <option key={each} value={each}>{text}</option>)}
      </select>
    </label>
  );
}

export function Check({ label, on, onChange }: { label: string; on: boolean; onChange(on: boolean): void }) {
  return <label class="check"><input type="checkbox" checked={on} onChange={(event) => onChange(event.currentTarget.checked)} /><span>{label}</span></label>;
}

export function Spark({ values, label, tall = 18, wide = 60 }: { values: number[]; label: string; tall?: number; wide?: number }) {
  const most = Math.max(1, ...values);
  const step = wide / Math.max(1, values.length - 1);
  const points = values.map((value, i) => `${(i * step).toFixed(1)},${(tall - 1 - (value / most) * (tall - 2)).toFixed(1)}`).join(" ");
  return <svg class="spark" width={wide} height={tall} role="img" aria-label={label}><polyline points={points} fill="none" stroke="currentColor" stroke-width="1.25" /></svg>;
}
