// Binary frames of the Station, decoded without copies: little-endian, 16 bytes of header before the rest.

export const POSITIONS = 1, AUDIO = 2, VIDEO = 3, UPLOAD = 16;
export const HEADER = 16, ROW = 20;
export const GROUNDED = 1, INSTANT = 2, ELSEWHERE = 4, SPEAKING = 8;

export interface Header { type: number; version: number; count: number; seq: number; t: number }
export interface Places {
  place(slot: number, flags: number, kind: number, x: number, y: number, z: number, yaw: number, speed: number, t: number): void;
}
export interface Sound { track: number; samples: Int16Array<ArrayBuffer> }
/** I420; turns: by how many quarters it is to be turned clockwise. */
export interface Picture { track: number; width: number; height: number; turns: number; planes: Uint8Array<ArrayBuffer> }

/** The header, or null where what came is none of our frames. */
export function header(data: ArrayBuffer): Header | null {
  if (data.byteLength < HEADER) return null;
  const view = new DataView(data);
  const head = {
    type: view.getUint8(0), version: view.getUint8(1), count: view.getUint16(2, true), seq: view.getUint32(4, true), t: view.getFloat64(8, true),
  };
  return head.version === 1 ? head : null;
}

/** Tells each row of a positions frame; gives how many whole rows there were. */
export function positions(data: ArrayBuffer, head: Header, to: Places): number {
  const view = new DataView(data);
  const count = Math.min(head.count, Math.floor((data.byteLength - HEADER) / ROW));
  for (let i = 0, at = HEADER; i < count; i++, at += ROW) {
    to.place(
      view.getUint16(at, true), view.getUint8(at + 2), view.getUint8(at + 3),
      view.getFloat32(at + 4, true), view.getFloat32(at + 8, true), view.getFloat32(at + 12, true),
      view.getUint16(at + 16, true) / 100, view.getUint16(at + 18, true) / 100, head.t,
    );
  }
  return count;
}

export function sound(data: ArrayBuffer): Sound | null {
  if (data.byteLength < HEADER + 4) return null;
  const view = new DataView(data);
  const count = Math.min(view.getUint16(HEADER + 2, true), (data.byteLength - HEADER - 4) >> 1);
  return { track: view.getUint16(HEADER, true), samples: new Int16Array(data, HEADER + 4, count) };
}

export function picture(data: ArrayBuffer): Picture | null {
  if (data.byteLength < HEADER + 8) return null;
  const view = new DataView(data);
  const [width, height] = [view.getUint16(HEADER + 2, true), view.getUint16(HEADER + 4, true)];
  const bytes = width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
  if (bytes === 0 || data.byteLength < HEADER + 8 + bytes) return null;
  return { track: view.getUint16(HEADER, true), width, height, turns: view.getUint16(HEADER + 6, true), planes: new Uint8Array(data, HEADER + 8, bytes) };
}

/** A piece of a file on its way to the Station. */
export function piece(upload: number, seq: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(HEADER + bytes.length);
  const view = new DataView(out.buffer);
  view.setUint8(0, UPLOAD);
  view.setUint8(1, 1);
  view.setUint16(2, upload, true);
  view.setUint32(4, seq, true);
  out.set(bytes, HEADER);
  return out;
}
