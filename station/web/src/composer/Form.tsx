// A form from the fields of a message.
import type { Failure, Field } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Check, Select } from "../parts/ui.tsx";

type Values = Record<string, unknown>;
interface Props { fields: Field[]; values: Values; problem: Failure | null; onChange(values: Values): void; path?: string }

/** What explorers send, for those fields that have it. */
export function starting(fields: Field[]): Values {
  const out: Values = {};
  for (const field of fields) if (field.default !== undefined && field.default !== null) out[field.name] = field.default;
  return out;
}

export function Form({ fields, values, problem, onChange, path = "" }: Props) {
  return <>{fields.map((field) => <One key={field.name} field={field} value={values[field.name] ?? field.default} problem={problem} path={path ? `${path}.${field.name}` : field.name} onChange={(value) => onChange({ ...values, [field.name]: value })} />)}</>;
}

function One({ field, value, problem, path, onChange }: { field: Field; value: unknown; problem: Failure | null; path: string; onChange(value: unknown): void }) {
  const bad = problem?.field === path || problem?.field === field.name || undefined;
  const label = field.unit ? `${field.name} (${field.unit})` : field.name;
  if (field.repeated || (field.type === "message" && !field.fields?.length)) {
    const text = typeof value === "string" ? value : JSON.stringify(value ?? (field.repeated ? [] : {}));
    return <label class="field"><span class="label">{label} <span class="dim">JSON</span></span><input type="text" class="mono" spellcheck={false} aria-invalid={bad} value={text} onChange={(event) => onChange(parsed(event.currentTarget.value))} /></label>;
  }
  if (field.type === "message") {
    const inner = (typeof value === "object" && value !== null ? value : {}) as Values;
    return <fieldset><legend>{label}</legend><Form fields={field.fields ?? []} values={inner} problem={problem} path={path} onChange={onChange} /></fieldset>;
  }
  if (field.type === "bool") return <Check label={label} on={value === true} onChange={onChange} />;
  if (field.type === "enum") return <Select label={label} value={String(value ?? field.values?.[0] ?? "")} of={(field.values ?? []).map((each): [string, string] => [each, each])} onChange={onChange} />;
  if (field.type === "float" || field.type === "int") {
    return (
      <label class="field"><span class="label">{label}</span>
        <input type="number" step={field.type === "int" ? 1 : "any"} aria-invalid={bad} value={value === undefined || value === null ? "" : String(value)} onInput={(event) => { const text = event.currentTarget.value; onChange(text === "" ? undefined : Number(text)); }} />
      </label>
    );
  }
  return (
    <label class="field"><span class="label">{label}{field.type === "bytes" ? <span class="dim"> {T.composer.hex}</span> : null}</span>
      <input type="text" class={field.type === "bytes" ? "mono" : ""} spellcheck={field.type === "string"} aria-invalid={bad} value={typeof value === "string" ? value : ""} onInput={(event) => onChange(event.currentTarget.value)} />
    </label>
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
