// One socket to the Station: hello, requests with answers, acks from the frame that drew, and coming back after a loss.
import type { Failure, Frame, Told, View, Welcome } from "./protocol.ts";
import { PROTOCOL } from "./protocol.ts";
import { header, type Header } from "./frames.ts";
import { token } from "./token.ts";

declare const BUILD: string;

export type Phase = "connecting" | "open" | "refused" | "full" | "gone";
export interface Hooks {
  phase(phase: Phase): void;
  welcome(welcome: Welcome): void;
  told(events: Told[], t: number): void;
  binary(head: Header, data: ArrayBuffer): void;
  view(): View;
  /** Whether it is listened to, which goes on while the page is hidden. */
  hears(): boolean;
}
export class Refused extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.text);
    this.failure = failure;
  }
}

const WAITS = [1000, 2000, 5000];
type Waiting = { ok: (answer: unknown) => void; no: (error: Refused) => void };

export class Link {
  #hooks: Hooks;
  #socket: WebSocket | null = null;
  #next = 1;
  #waiting = new Map<number, Waiting>();
  #seen = 0;
  #acked = 0;
  #drawing = false;
  #tries = 0;
  #over = false;
  #open = false;

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
    addEventListener("focus", () => { if (!this.#socket && !this.#over && this.#tries >= WAITS.length) this.connect(); });
    document.addEventListener("visibilitychange", () => {
      if (!this.#open || (document.hidden && this.#hooks.hears())) return;
      this.ask(document.hidden ? "pause" : "resume").catch(() => undefined);
    });
  }

  connect(): void {
    const secret = token();
    if (!secret) return this.#hooks.phase("refused");
    this.#hooks.phase("connecting");
    const socket = new WebSocket(`ws://${location.host}/ws`, ["dcl-station.1", `token.${secret}`]);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#seen = this.#acked = 0;
      this.ask<Welcome>("hello", { protocol: PROTOCOL, build: BUILD, view: this.#hooks.view() }).then(
        (welcome) => {
          this.#tries = 0;
          this.#open = true;
          sessionStorage.removeItem("station.reloaded");
          this.#hooks.welcome(welcome);
          this.#hooks.phase("open");
          if (document.hidden && !this.#hooks.hears()) this.ask("pause").catch(() => undefined);
        },
        () => undefined,
      );
    };
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = (close) => void this.#closed(close.code, opened);
  }

  /** Asks the Station to do something; its answer, or Refused with what it said. */
  ask<Answer = Record<string, unknown>>(what: string, args: object = {}): Promise<Answer> {
    return new Promise<Answer>((ok, no) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return no(new Refused({ code: "closed", text: "The Station does not answer." }));
      const id = this.#next++;
      this.#waiting.set(id, { ok: ok as Waiting["ok"], no });
      this.#socket.send(JSON.stringify({ id, do: what, ...args }));
    });
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket?.send(bytes);
  }

  get waiting(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  #receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      const head = header(data);
      if (!head) return;
      this.#hooks.binary(head, data);
      return this.#drawn(head.seq);
    }
    const message = JSON.parse(data) as Frame | { re: number; ok?: unknown; error?: Failure };
    if ("ev" in message) {
      this.#hooks.told(message.ev, message.t);
      return this.#drawn(message.s);
    }
    const waiting = this.#waiting.get(message.re);
    this.#waiting.delete(message.re);
    if (message.error) waiting?.no(new Refused(message.error));
    else waiting?.ok(message.ok);
  }

  // The ack goes out from the animation frame that drew it; a page that is hidden draws nothing, and says so at once.
  #drawn(seq: number): void {
    this.#seen = Math.max(this.#seen, seq);
    if (document.hidden) return this.#ack();
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#ack();
    });
  }

  #ack(): void {
    if (this.#seen <= this.#acked || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#acked = this.#seen;
    this.#socket.send(`{"ack":${this.#seen}}`);
  }

  async #closed(code: number, opened: boolean): Promise<void> {
    this.#socket = null;
    this.#open = false;
    for (const waiting of this.#waiting.values()) waiting.no(new Refused({ code: "closed", text: "The Station does not answer." }));
    this.#waiting.clear();
    if (code === 4426) return this.#reload();
    if (code === 4401 || code === 4403) return this.#refuse("refused");
    if (code === 4409) return this.#refuse("full");
    if (!opened && (await alive())) return this.#refuse("refused");
    this.#hooks.phase("gone");
    const wait = code === 4408 ? 0 : WAITS[this.#tries];
    this.#tries++;
    if (wait !== undefined) setTimeout(() => { if (!this.#socket) this.connect(); }, wait);
  }

  #refuse(phase: Phase): void {
    this.#over = true;
    this.#hooks.phase(phase);
  }

  #reload(): void {
    if (sessionStorage.getItem("station.reloaded")) return this.#refuse("gone");
    sessionStorage.setItem("station.reloaded", "1");
    location.reload();
  }
}

async function alive(): Promise<boolean> {
  try {
    return (await fetch("/alive", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
