// A grid of rows of one height, of which only those in sight exist: the Station sends the window that is looked at.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { watchSize } from "./size.ts";

export interface Column { id: string; title: string; class?: string; sort?: boolean; quiet?: boolean }
interface Props {
  name: string; label: string; columns: Column[]; total: number; first: number; count: number; base: number; row: number; selected: number | null; follow?: boolean;
  render(index: number): ComponentChildren; classOf?(index: number): string;
  onWindow(first: number, rows: number, atEnd: boolean): void; onSelect(index: number): void; onOpen?(index: number): void;
  onKey?(event: KeyboardEvent): boolean; sorted?: { id: string; down: boolean }; onSort?(id: string): void; kept?: (index: number) => string | number;
}

const OVER = 12, HEAD = 30;

/** `base`: ordinal of the first row there is; `first` and `count`: of those that are here; `selected`: an ordinal. */
export function Grid(props: Props) {
  const { name, columns, total, first, count, base, row, selected, follow } = props;
  const box = useRef<HTMLDivElement>(null);
  const seen = useRef({ base, top: -1, tall: 0 });
  const ours = useRef(false);

  const look = (): void => {
    const element = box.current;
    if (!element) return;
    const tall = element.clientHeight - HEAD;
    const from = props.base + Math.max(0, Math.floor(element.scrollTop / row) - OVER);
    const end = element.scrollTop + element.clientHeight >= element.scrollHeight - row;
    props.onWindow(from, Math.min(200, Math.ceil(tall / row) + 2 * OVER), end);
  };

  const latest = useRef(look);
  latest.current = look;

  // Rows that the ring dropped at the front move everything: what is looked at stays where it is.
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    if (follow) {
      ours.current = true;
      element.scrollTop = element.scrollHeight;
    } else if (base !== seen.current.base) {
      ours.current = true;
      element.scrollTop -= (base - seen.current.base) * row;
    }
    seen.current.base = base;
  });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    return watchSize(element, () => latest.current());
  }, []);

  const show = (index: number): void => {
    const element = box.current;
    if (!element) return;
    const top = (index - base) * row, tall = element.clientHeight - HEAD;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + row > element.scrollTop + tall) element.scrollTop = top + row - tall;
  };
  useLayoutEffect(() => { if (selected !== null && !follow) show(selected); }, [selected]);

  const keys = (event: KeyboardEvent): void => {
    if (event.target !== box.current && !(event.target as HTMLElement).closest(".body")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (props.onKey?.(event)) return event.preventDefault();
    const page = Math.max(1, Math.floor(((box.current?.clientHeight ?? 0) - HEAD) / row) - 1);
    const last = base + total - 1;
    const at = selected ?? (follow ? last + 1 : base - 1);
    const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + page, PageUp: at - page, Home: base, End: last }[event.key];
    if (to !== undefined && total > 0) {
      event.preventDefault();
      props.onSelect(Math.max(base, Math.min(to, last)));
    } else if (event.key === "Enter" && selected !== null) {
      event.preventDefault();
      props.onOpen?.(selected);
    }
  };

  const rows = [];
  for (let i = first; i < first + count; i++) {
    rows.push(
      <div
        key={props.kept?.(i) ?? i} id={`${name}-${i}`} role="row" aria-rowindex={i - base + 2} aria-selected={i === selected}
        class={`row ${props.classOf?.(i) ?? ""}`} style={{ top: `${(i - base) * row}px`, height: `${row}px` }}
        onClick={() => { props.onSelect(i); props.onOpen?.(i); box.current?.focus({ preventScroll: true }); }}
      >
        {props.render(i)}
      </div>,
    );
  }
  return (
    <div
      ref={box} class={`grid ${name}`} role="grid" tabIndex={0} aria-label={props.label} aria-rowcount={total + 1} aria-colcount={columns.length}
      aria-activedescendant={selected !== null && selected >= first && selected < first + count ? `${name}-${selected}` : undefined}
      onKeyDown={keys} onScroll={() => { if (ours.current) ours.current = false; else look(); }}
    >
      <div class="head" role="rowgroup">
        <div role="row" class="row" aria-rowindex={1}>
          {columns.map((column) => {
            const mine = props.sorted?.id === column.id;
            return (
              <div key={column.id} role="columnheader" class={`cell ${column.class ?? ""}`} aria-sort={mine ? (props.sorted?.down ? "descending" : "ascending") : undefined}>
                {column.sort ? <button tabIndex={-1} onClick={() => props.onSort?.(column.id)}>{column.title}{mine ? (props.sorted?.down ? " ↓" : " ↑") : ""}</button> : column.quiet ? <span class="hidden">{column.title}</span> : column.title}
              </div>
            );
          })}
        </div>
      </div>
      <div class="body" role="rowgroup" style={{ height: `${total * row}px` }}>{rows}</div>
    </div>
  );
}

export function Cell({ class: name = "", children, title }: { class?: string; children?: ComponentChildren; title?: string }) {
  return <div role="gridcell" class={`cell ${name}`} title={title}>{children}</div>;
}
