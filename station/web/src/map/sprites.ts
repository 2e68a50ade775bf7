// Peers and labels as small pictures, drawn once: the map then only copies them.
import type { Peer } from "../wire/protocol.ts";
import { hue, plain, short } from "../parts/words.tsx";

export interface Palette {
  ground: string; island: string; line: string; axis: string; text: string; dim: string; accent: string; halo: string; warn: string; hues: string[];
}

export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    ground: read("--ground"), island: read("--island"), line: read("--line"), axis: read("--axis"), text: read("--text"), dim: read("--dim"),
    accent: read("--accent"), halo: read("--halo"), warn: read("--warn"), hues: Array.from({ length: 8 }, (_, i) => read(`--hue${i}`)),
  };
}

export const SIZE = 28, TURNS = 48;
const MOST = 3000, LABELS = 1200;
const font = (strong: boolean): string => `${strong ? 600 : 500} 12px system-ui, sans-serif`;
const LOOKS = { player: 0, bot: 1, other: 2, hollow: 3, me: 4 };
export type Look = keyof typeof LOOKS;

export class Sprites {
  // Many that are in sight get no label: how wide it would be is known without its picture.
  #measure = document.createElement("canvas").getContext("2d")!;
  #wide = new Map<string, number>();
  #faces = new WeakMap<Peer, { name: string; hue: number }>();
  #dpr: number;
  #colours: Palette;
  #peers: HTMLCanvasElement[] = [];
  #labels = new Map<string, HTMLCanvasElement>();

  constructor(colours: Palette, dpr: number) {
    this.#colours = colours;
    this.#dpr = dpr;
  }

  peer(look: Look, hue: number, yaw: number): HTMLCanvasElement {
    const turn = ((Math.round((yaw / 360) * TURNS) % TURNS) + TURNS) % TURNS;
    return this.#peers[(LOOKS[look] * 8 + hue) * TURNS + turn] ??= this.#make(look, hue, (turn / TURNS) * 2 * Math.PI);
  }

  #make(look: Look, hue: number, angle: number): HTMLCanvasElement {
    const { canvas, context } = this.#blank(SIZE, SIZE);
    const { hues, halo, accent, text } = this.#colours;
    const colour = look === "me" ? accent : (hues[hue] ?? text);
    context.translate(SIZE / 2, SIZE / 2);
    if (look === "me") {
      context.strokeStyle = colour;
      context.lineWidth = 1.75;
      context.beginPath();
      context.arc(0, 0, 11, 0, 2 * Math.PI);
      context.stroke();
    }
    context.rotate(angle);
    context.beginPath();
    if (look === "bot") {
      // A pentagon with a tip: shape tells it from a person, not colour alone.
      context.moveTo(0, -9); context.lineTo(6, -2); context.lineTo(6, 6); context.lineTo(-6, 6); context.lineTo(-6, -2);
    } else if (look === "other") {
      context.moveTo(0, -8); context.lineTo(7, 0); context.lineTo(0, 8); context.lineTo(-7, 0);
    } else {
      context.moveTo(0, -9.5); context.lineTo(6.5, 7); context.lineTo(0, 3.6); context.lineTo(-6.5, 7);
    }
    context.closePath();
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = halo;
    context.stroke();
    if (look === "hollow") {
      context.lineWidth = 1.75;
      context.strokeStyle = colour;
      context.setLineDash([3, 2]);
      context.stroke();
    } else {
      context.fillStyle = colour;
      context.fill();
    }
    return canvas;
  }

  /** What a peer is called here, and its colour: worked out once. */
  of(peer: Peer): { name: string; hue: number } {
    let made = this.#faces.get(peer);
    if (!made) this.#faces.set(peer, made = { name: plain(peer.name || short(peer.id), 22), hue: hue(peer.id) });
    return made;
  }

  /** How wide a label is. */
  wide(text: string, strong: boolean): number {
    const key = `${strong ? "!" : ""}${text}`;
    let made = this.#wide.get(key);
    if (made === undefined) {
      if (this.#wide.size > MOST) this.#wide.clear();
      this.#measure.font = font(strong);
      this.#wide.set(key, made = Math.min(180, Math.ceil(this.#measure.measureText(text).width)) + 8);
    }
    return made;
  }

  label(text: string, strong: boolean): HTMLCanvasElement {
    const key = `${strong ? "!" : ""}${text}`;
    let made = this.#labels.get(key);
    if (!made) {
      if (this.#labels.size > LABELS) this.#labels.clear();
      made = this.#write(text, strong);
      this.#labels.set(key, made);
    }
    return made;
  }

  #write(text: string, strong: boolean): HTMLCanvasElement {
    const wide = this.wide(text, strong);
    const { canvas, context } = this.#blank(wide, 18);
    context.font = font(strong);
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = this.#colours.halo;
    context.strokeText(text, 4, 9, wide - 8);
    context.fillStyle = strong ? this.#colours.text : this.#colours.dim;
    context.fillText(text, 4, 9, wide - 8);
    return canvas;
  }

  #blank(wide: number, tall: number): { canvas: HTMLCanvasElement; context: CanvasRenderingContext2D } {
    const canvas = document.createElement("canvas");
    canvas.width = wide * this.#dpr;
    canvas.height = tall * this.#dpr;
    const context = canvas.getContext("2d")!;
    context.scale(this.#dpr, this.#dpr);
    return { canvas, context };
  }
}
