import { useEffect, useRef } from "preact/hooks";
import { watchSize } from "../parts/size.ts";
import { charted, stats } from "../state/store.ts";
import { painted } from "../state/settings.ts";
import type { Stats } from "../wire/protocol.ts";
import type { Line } from "./charts.ts";

type Made = { data(rows: (number | null)[][]): void; size(): void; end(): void };
interface Props { title: string; unit: string; lines: { label: string; hue: number; dash?: number[]; of(stats: Stats): number | null }[] }

/** A line chart of the last ten minutes of stats. */
export function Chart({ title, unit, lines }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const made = useRef<Made | null>(null);
  const draw = (): void => made.current?.data([charted.map((each) => each.t), ...lines.map((line) => charted.map(line.of))]);
  useEffect(() => {
    let ended = false;
    const element = box.current!;
    // Built beside the page's script: a path for the browser, not for the bundler.
    void import("./charts.js" as string).then((charts: typeof import("./charts.ts")) => {
      if (ended) return;
      const style = getComputedStyle(document.documentElement);
      const read = (name: string): string => style.getPropertyValue(name).trim();
      const drawn: Line[] = lines.map((line) => ({ label: line.label, colour: read(`--hue${line.hue}`), ...(line.dash ? { dash: line.dash } : {}) }));
      made.current = charts.chart(element, drawn, read("--dim"), read("--line"), unit);
      draw();
    });
    const unwatch = watchSize(element, () => made.current?.size());
    return () => { ended = true; unwatch(); made.current?.end(); made.current = null; };
  }, [painted.value]);
  const latest = stats.value;
  useEffect(draw, [latest]);
  const words = latest ? lines.map((line) => { const value = line.of(latest); return `${line.label} ${value === null ? "–" : Math.round(value * 10) / 10}${unit}`; }).join(", ") : "";
  return <figure class="chart"><figcaption>{title}</figcaption><div ref={box} role="img" aria-label={`${title}: ${words}`} /></figure>;
}
