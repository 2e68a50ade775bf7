// uPlot, in a file of its own that is loaded when charts are first looked at.
import uPlot from "uplot";

export interface Line { label: string; colour: string; fill?: string; dash?: number[] }

/** A chart in this element; data: seconds, then one array for each line. */
export function chart(element: HTMLElement, lines: Line[], text: string, grid: string, unit: string): { data(rows: (number | null)[][]): void; size(): void; end(): void } {
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "11px system-ui, sans-serif" };
  const wide = (): number => Math.max(200, element.clientWidth);
  const plot = new uPlot(
    {
      width: wide(), height: 150, cursor: { y: false, points: { size: 5 } }, legend: { show: true, live: true },
      series: [{ label: "" , value: "{HH}:{mm}:{ss}" }, ...lines.map((line) => ({ label: line.label, stroke: line.colour, width: 1.5, points: { show: false }, ...(line.fill ? { fill: line.fill } : {}), ...(line.dash ? { dash: line.dash } : {}), value: (_: uPlot, value: number | null) => (value === null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)}${unit}`) }))],
      axes: [{ ...axis, values: "{HH}:{mm}:{ss}", space: 70 }, { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => `${tick}${unit}`) }],
      scales: { y: { range: (_, least, most) => [Math.min(0, least), Math.max(most * 1.1, 1)] } },
    },
    [[], ...lines.map(() => [])],
    element,
  );
  return { data: (rows) => plot.setData(rows as uPlot.AlignedData), size: () => plot.setSize({ width: wide(), height: 150 }), end: () => plot.destroy() };
}
