// Keys that hold everywhere: none while a field has the focus, and never Tab.
import { tab, type Tab } from "../state/settings.ts";
import { selected, session } from "../state/store.ts";
import { filter, go, match, opened, pause, preset, record } from "./doing.ts";

const PLACES: Record<string, Tab> = { m: "map", c: "chat", p: "packets", k: "peers", h: "health", l: "learn", a: "media" };
let going = 0;

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable);
}

function pressing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("button, a, summary, [role=slider], [role=separator], [role=tab]") !== null;
}

export function listen(): void {
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      opened.value = opened.value === "palette" ? null : "palette";
      return;
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (session.value.state === "start") {
      if (event.key === "?") { event.preventDefault(); opened.value = "keys"; }
      return;
    }
    if (event.key === "Escape") {
      if (opened.value) opened.value = null;
      else selected.value = null;
      return;
    }
    if (event.timeStamp - going < 1500 && PLACES[event.key]) {
      going = 0;
      event.preventDefault();
      return go(PLACES[event.key]!);
    }
    const done = {
      "/": filter, g: () => { going = event.timeStamp; }, t: () => { opened.value = "composer"; }, r: record, "[": () => match(-1), "]": () => match(1),
      "?": () => { opened.value = "keys"; }, "1": () => preset(1), "2": () => preset(2), "3": () => preset(3),
      " ": pressing(event.target) || tab.value === "packets" && event.target instanceof Element && event.target.closest(".grid.packets") ? undefined : pause,
    }[event.key];
    if (!done) return;
    event.preventDefault();
    done();
  });
}
