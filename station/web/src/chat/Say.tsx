// The field under the chat: Enter sends, @ completes a peer and makes it a whisper.
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { Failure, Peer } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Icon } from "../parts/icons.tsx";
import { Button, Problem } from "../parts/ui.tsx";
import { Dot, nameOf, short, Word } from "../parts/words.tsx";
import { failure, link } from "../state/link.ts";
import { ended, peers, readOnly, session, welcome } from "../state/store.ts";
import { said, text, to } from "./saying.ts";

const GODOT = 200;
const encoder = new TextEncoder();

export function Say() {
  const problem = useSignal<Failure | null>(null);
  const python = useSignal("");
  const at = useSignal(0);
  const back = useSignal(0);
  const list = useId();
  const off = readOnly.value ? T.readOnly : ended.value ? T.states.gone : (session.value.can[to.value.length ? "whisper" : "chat"] ?? null);
  const word = /(?:^|\s)@(\S*)$/.exec(text.value)?.[1];
  const found = word === undefined ? [] : complete(word);
  const now = Math.min(at.value, found.length - 1);

  const send = async (): Promise<void> => {
    const what = text.value;
    if (!what.trim() || off) return;
    text.value = "";
    said.push(what);
    back.value = 0;
    try {
      const done = await link.ask<{ python?: string }>(to.value.length ? "whisper" : "chat", to.value.length ? { text: what, to: to.value } : { text: what });
      problem.value = null;
      python.value = done.python ?? "";
    } catch (error) {
      problem.value = failure(error);
      if (!text.value) text.value = what;
    }
  };
  const choose = (peer: Peer | undefined): void => {
    if (!peer) return;
    text.value = text.value.replace(/@\S*$/, "");
    if (!to.value.includes(peer.id)) to.value = [...to.value, peer.id];
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (found.length) {
      if (event.key === "ArrowDown") at.value = Math.min(now + 1, found.length - 1);
      else if (event.key === "ArrowUp") at.value = Math.max(now - 1, 0);
      else if (event.key === "Enter" && !event.shiftKey) choose(found[now]);
      else if (event.key === "Escape") text.value = text.value.replace(/@\S*$/, "");
      else return;
    } else if (event.key === "Enter" && !event.shiftKey) void send();
    else if (event.key === "ArrowUp" && (!text.value || back.value) && said.length) {
      back.value = Math.min(back.value + 1, said.length);
      text.value = said[said.length - back.value] ?? "";
    } else if (event.key === "Backspace" && !text.value && to.value.length) to.value = to.value.slice(0, -1);
    else if (event.key === "Escape" && to.value.length) to.value = [];
    else return;
    event.preventDefault();
  };
  const bytes = encoder.encode(text.value).length;
  const most = welcome.value?.limits["chat_chars"] ?? Infinity;
  const note = text.value.length > most ? T.chat.over(most) : bytes > GODOT ? T.chat.godot(bytes) : "";
  return (
    <form class="say" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      {found.length > 0 && (
        <ul class="complete" id={list} role="listbox" aria-label={T.chat.people}>
          {found.map((peer, i) => (
            <li key={peer.id} id={`${list}-${i}`} role="option" aria-selected={i === now} onPointerDown={(event) => { event.preventDefault(); choose(peer); }}>
              <Dot id={peer.id} /><Word text={nameOf(peer.id, peer.name)} limit={30} /> <span class="dim">{short(peer.id)}</span>
            </li>
          ))}
        </ul>
      )}
      {to.value.length > 0 && (
        <div class="chips">
          <Icon name="lock" /><span class="dim">{T.chat.whisperingTo}</span>
          {to.value.map((id) => (
            <span key={id} class="chip"><Dot id={id} /><Word text={nameOf(id)} limit={24} /><Button icon="close" label={T.chat.dropPeer(nameOf(id))} text={false} onClick={() => { to.value = to.value.filter((each) => each !== id); }} /></span>
          ))}
        </div>
      )}
      <div class="write">
        <textarea
          id="say" rows={Math.min(5, text.value.split("\n").length)} aria-label={to.value.length ? T.chat.whisperField : T.chat.field} placeholder={off ?? (to.value.length ? T.chat.whisperHint : T.chat.hint)}
          value={text.value} disabled={Boolean(off)} maxLength={60_000} aria-autocomplete="list" aria-activedescendant={found.length ? `${list}-${now}` : undefined}
          onInput={(event) => { text.value = event.currentTarget.value; at.value = 0; }} onKeyDown={keys}
        />
        <Button icon="send" label={T.chat.send} text={false} kind="main" off={off} onClick={() => void send()} />
      </div>
      <Problem failure={problem.value} />
      {!problem.value && (note ? <p class="hint warn">{note}</p> : python.value && !text.value ? <p class="hint"><code>{python.value}</code></p> : <p class="hint">{T.chat.help}</p>)}
    </form>
  );
}

function complete(word: string): Peer[] {
  const small = word.toLowerCase();
  const found: Peer[] = [];
  for (const peer of peers.values()) {
    if (peer.kind === "me" || peer.pulse) continue;
    if (peer.name.toLowerCase().includes(small) || peer.id.toLowerCase().startsWith(small)) found.push(peer);
    if (found.length >= 8) break;
  }
  return found;
}
