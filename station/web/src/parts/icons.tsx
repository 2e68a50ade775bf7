// Our few icons, as strokes on 16 × 16.
const PATHS = {
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.7 10.7 14 14",
  record: "M8 12.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.5 8z",
  theme: "M8 13.5a5.5 5.5 0 1 0 0-11zM8 2.5v11M8 2.5a5.5 5.5 0 0 0 0 11",
  help: "M6 6.2a2 2 0 1 1 2.8 1.8c-.6.3-.8.7-.8 1.4M8 11.8v.2M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z",
  gear: "M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M3.6 12.4 5 11M11 5l1.4-1.4",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M6 5.5h6.5v8H6zM3.5 10.5v-8H10",
  lock: "M4 7.5h8v6H4zM5.8 7.5V5a2.2 2.2 0 0 1 4.4 0v2.5",
  send: "M2.5 8 13.5 3l-3.5 10.5L7.5 9z",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  me: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2",
  tag: "M2.5 4.5h11v7h-11zM5 8h6",
  down: "M3.5 6 8 10.5 12.5 6",
  up: "M3.5 10 8 5.5 12.5 10",
  left: "M10 3.5 5.5 8l4.5 4.5",
  right: "M6 3.5 10.5 8 6 12.5",
  mic: "M8 10a2 2 0 0 0 2-2V4a2 2 0 1 0-4 0v4a2 2 0 0 0 2 2zM4 8a4 4 0 0 0 8 0M8 12v2",
  camera: "M2.5 4.5h7v7h-7zM9.5 7.2l4-2v5.6l-4-2",
  mark: "M4.5 2.5h7v11L8 10.8l-3.5 2.7z",
  leave: "M9.5 3H3.5v10h6M7 8h7M11.5 5.5 14 8l-2.5 2.5",
  out: "M9 3h4v4M13 3 7.5 8.5M11 9.5V13H3V5h3.5",
  sound: "M2.5 6.5v3H5l3.5 3v-9L5 6.5zM11 5.5a3.5 3.5 0 0 1 0 5M12.8 3.8a6 6 0 0 1 0 8.4",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  save: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.500h10",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  globe: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM1.5 8h13M8 1.5c2 2 2.8 4 2.8 6.5S10 12.5 8 14.5M8 1.5C6 3.5 5.200 5.5 5.200 8S6 12.5 8 14.5",
  link: "M6.5 9.5 9.5 6.500M7.5 4.800l1.700-1.700a2.600 2.600 0 0 1 3.700 3.700l-1.700 1.700M8.5 11.200l-1.700 1.700a2.600 2.600 0 0 1-3.700-3.700l1.700-1.700",
  home: "M2.5 7.5 8 2.500l5.5 5M4 6.500v7h8v-7M6.700 13.500v-4h2.600v4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, fill = false }: { name: IconName; fill?: boolean }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill={fill ? "currentColor" : "none"} stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
