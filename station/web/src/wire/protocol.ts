// What the Station and this page say to each other: station/web/PROTOCOL.md, as types.

export const PROTOCOL = 1;
export type Vec = [number, number, number];
export type Can = Record<string, string | null | undefined>;

export interface Failure { code: string; text: string; fix?: string | null; field?: string | null; column?: number | null }
export interface Wallet { n: number; name: string; address: string | null }
export interface Welcome {
  protocol: number; version: string; read_only: boolean; limits: Record<string, number>; wallets: Wallet[]; page_bytes: number; seq: number;
}
export interface Stage { name: string; label: string; state: "waiting" | "running" | "done" | "failed"; seconds?: number | null; text?: string | null }
export type Grants = Record<string, unknown>;
export interface Room { label: string; name: string; sid?: string | null; state: string; grants?: Grants | null; metadata?: string | null }
export interface Play {
  from: number; to: number; at: number; speed: number; paused: boolean; live: boolean; name?: string | null; whole?: boolean; notice?: string | null;
}
export interface State {
  state: "start" | "opening" | "open" | "reconnecting" | "closed" | "playing";
  source: "none" | "own" | "target" | "watch" | "recording";
  target: string; id: string | null; slot: number; since: number; stages: Stage[]; rooms: Room[];
  island?: { id: string; peers: number } | null; realm?: { name: string; url: string } | null;
  error?: { reason: string; retry?: string | null; text: string; fix?: string | null } | null;
  media?: { why: string; fix?: string | null; again: boolean } | null;
  silent?: { why: string; fix?: string | null; count: number }[]; can: Can;
  record?: { name: string; since: number; bytes: number; packets: number; lost: number; error?: string } | null; play?: Play | null; recording?: number | null;
}
export interface Track { sid: string; kind: string; source: string; name: string; muted: boolean; subscribed: boolean }
export interface Peer {
  slot: number; id: string; name: string; address?: string | null; kind: "me" | "player" | "bot" | "server"; rooms: string[]; pulse: boolean;
  joined: number; arrival?: string | null; tracks: Track[]; profile_version?: number | null; speaking: boolean; ignored: boolean; placed: boolean;
}
export interface Chat {
  n: number; t: number; kind: "chat" | "emote" | "reaction" | "join" | "leave" | "notice"; from: number | null; id: string; name: string;
  text: string; cut?: number; rooms: string[]; private: boolean; to?: string[]; ours: boolean; state?: "waiting" | "taken" | "failed" | null;
  channel?: string; stamp?: number | null; message_id?: string | null; forwarded_from?: string;
}
export interface Logged { n: number; t: number; level: "info" | "warning" | "error"; name: string; room?: string; id?: string | null; text: string; fix?: string | null }
export interface PeerRow {
  slot: number; id: string; name: string; rooms: string[]; distance?: number | null; position?: Vec | null; yaw?: number | null; speed?: number | null;
  pps: number; bps: number; kinds: Record<string, number>; spark: number[]; seen?: number | null; mic?: string | null; camera?: string | null;
  profile_version?: number | null; score?: number | null; joined: number; gone?: number | null;
}
export interface Flow { pps: number; bps: number; packets: number; bytes: number }
export interface Stats {
  t: number; round_trip: number | null; in: Flow; out: Flow; kinds_in: Record<string, number>; kinds_out: Record<string, number>;
  lost: Record<string, number>; meaning?: Record<string, string> | null; verdicts: Record<string, number>;
  queue?: { waiting: number; in_flight: number; credits: number | null; unread: number } | null; reconnects: number; peers: number;
  limits: { limit: string; value: number; t: number; id?: string | null }[];
  token?: { identity: string; room: string; expires: number | null; grants: Grants } | null; islands: { t: number; id: string }[];
  kept: { packets: number; bytes: number; chat: number; events: number }; missed: number; pages: number; wrong_tokens: number;
}
export interface Row {
  n: number; t: number; d?: number | null; dir: "in" | "out"; room: string; slot?: number | null; id?: string | null; kind?: string | null; size: number;
  reliable: boolean; private: boolean; topic: string; verdict: string; text: string; hl: boolean; marked: boolean;
}
export interface Rows { kept: number; oldest: number; matching: [number, number]; first: number; follow: boolean; filter: string; rows: Row[] }
export interface TreeNode {
  name: string; number: number; wire: string; from: number; to: number; body: number; value?: string | null; type?: string | null;
  unit?: string | null; known: boolean; children?: TreeNode[] | null;
}
export interface Packet {
  row: Row; hex: string; cut?: number; tree: TreeNode[]; meaning: { text: string; fields?: Record<string, unknown> | null }; python: string;
  to?: string[] | null; previous?: number | null;
}
export interface Field {
  name: string; type: string; repeated?: boolean; optional?: boolean; unit?: string | null; default?: unknown; values?: string[] | null; fields?: Field[] | null;
}
export interface KindForm { kind: string; reliable: boolean; fields: Field[] }
export interface Step {
  n: number; t: number; seconds?: number | null; chapter: string; what: "input" | "command" | "event" | "packet"; name: string; title: string; why: string;
  from: string; to: string; fields: Record<string, unknown>; hex?: string | null; wrong?: string | null; python?: string | null; file?: string | null; packet?: number | null;
}
export interface Chapter { id: string; title: string; first: number; count: number }
export interface Mark { n: number; t: number; packet?: number | null; text: string }
export interface Profile { id: string; state: "asked" | "got" | "none"; version?: number | null; text: string; cut?: number }
export interface Sheet {
  peer: Peer; row?: PeerRow | null; metadata?: string | null; attributes?: Record<string, string> | null; profile?: Profile | null; history: [number, number, number][];
}
export interface Recording { n: number; name: string; bytes: number; modified: number; seconds?: number | null; whole: boolean }
export interface Realm { name: string; url: string; players?: number | null; adapter?: string | null; healthy?: boolean | null }
export interface Finding { level: "ok" | "info" | "warning" | "error"; title: string; text: string; fix?: string | null }

export interface View {
  map?: { on: boolean; hz: number };
  peers?: { on: boolean; sort: string; down: boolean; filter: string; first: number; rows: number };
  packets?: { on: boolean; filter: string; highlight: string; anchor: number | null; rows: number };
  chat?: { on: boolean; before: number | null };
  learn?: { on: boolean }; time?: { on: boolean }; stats?: { on: boolean }; media?: { on: boolean }; audio?: string[]; video?: string[];
}
export interface Perceived { sid: string; state: "waiting" | "on" | "failed" | "gone"; text?: string; format?: string; dropped?: number; missed: number }
export interface Speaking { state: "publishing" | "speaking" | "done" | "failed"; what: "tone" | "wav"; at: number; seconds: number; text: string }
export interface MediaState { tracks: Perceived[]; speaking: Speaking | null }

export type Told =
  | { k: "reset" | "ping" }
  | ({ k: "state" } & State)
  | ({ k: "peer" } & Peer)
  | { k: "gone"; slot: number; id: string; t: number }
  | ({ k: "chat" } & Chat)
  | { k: "history"; chats: Chat[]; more: boolean }
  | ({ k: "event" } & Logged)
  | ({ k: "stats" } & Stats)
  | ({ k: "rows" } & Rows)
  | { k: "peers"; total: number; matching: number; first: number; rows: PeerRow[] }
  | { k: "learn"; first: number; end: number; chapters: Chapter[] }
  | { k: "marks"; marks: Mark[] }
  | { k: "time"; start: number; step: number; at: number; bins: number[][] }
  | ({ k: "profile" } & Profile)
  | { k: "gap"; what: string; count: number }
  | ({ k: "media" } & MediaState)
  | { k: "realm"; url: string; bots: number; livekit: boolean; media: boolean };

export interface Frame { s: number; t: number; ev: Told[] }
