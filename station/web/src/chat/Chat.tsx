// Chat and whispers: what was said here, and a field to say something.
import { computed, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Chat } from "../wire/protocol.ts";
import { watchSize } from "../parts/size.ts";
import { T } from "../texts.ts";
import { Icon } from "../parts/icons.tsx";
import { Button, Empty } from "../parts/ui.tsx";
import { Dot, Long, nameOf, time, Word } from "../parts/words.tsx";
import { act, copy } from "../state/link.ts";
import { chats, moreOlder, older, readOnly, selected, session } from "../state/store.ts";
import { before } from "../state/views.ts";
import { Say } from "./Say.tsx";
import { to } from "./saying.ts";

const SHOWN = 300;
/** Tab stops at the menus of so many of the newest; the search brings older ones among them. */
const NEAR = 12;
export type Line = { kind: "chat"; chat: Chat; head: boolean } | { kind: "fold"; n: number; join: Chat[]; leave: Chat[] };

/** Joins and leaves in a row become one line; who goes on writing is named once. */
export function fold(all: Chat[]): Line[] {
  const lines: Line[] = [];
  for (const chat of all) {
    const last = lines[lines.length - 1];
    if (chat.kind === "join" || chat.kind === "leave") {
      if (last?.kind === "fold") last[chat.kind].push(chat);
      else lines.push({ kind: "fold", n: chat.n, join: [], leave: [], [chat.kind]: [chat] } as Line);
      continue;
    }
    const same = last?.kind === "chat" && last.chat.id === chat.id && last.chat.kind === "chat" && chat.kind === "chat" && last.chat.private === chat.private
      && String(last.chat.to) === String(chat.to) && chat.t - last.chat.t < 120 && last.chat.channel === chat.channel;
    lines.push({ kind: "chat", chat, head: !same });
  }
  return lines;
}

const lines = computed(() => fold([...older.value, ...chats.value]));

export function Chats() {
  const box = useRef<HTMLDivElement>(null);
  const at = useRef({ end: true, tall: 0, first: -1 });
  const down = useSignal(0);
  const search = useSignal("");
  const word = search.value.toLowerCase();
  const all = word ? lines.value.filter((line) => line.kind === "chat" && `${line.chat.text}\n${nameOf(line.chat.id, line.chat.name)}`.toLowerCase().includes(word)) : lines.value;
  const shown = all.slice(-SHOWN - older.value.length);
  const first = shown[0]?.kind === "chat" ? shown[0].chat.n : (shown[0]?.n ?? -1);

  // At the end it stays at the end; scrolled up, what is read stays where it is, whatever comes above or below.
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    if (at.current.end) {
      element.scrollTop = element.scrollHeight;
      down.value = 0;
    } else if (first < at.current.first) element.scrollTop += element.scrollHeight - at.current.tall;
    at.current.tall = element.scrollHeight;
    at.current.first = first;
  }, [shown.length, first, chats.value, word]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    return watchSize(element, () => { if (at.current.end) element.scrollTop = element.scrollHeight; });
  }, []);
  const count = chats.value.length;
  const lastCount = useRef(count);
  useEffect(() => {
    if (!at.current.end) down.value += Math.max(0, count - lastCount.current);
    lastCount.current = count;
  }, [count]);

  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    at.current.end = element.scrollTop + element.clientHeight >= element.scrollHeight - 24;
    if (at.current.end) down.value = 0;
    const oldest = older.value[0] ?? chats.value[0];
    if (element.scrollTop < 40 && moreOlder.value && oldest && oldest.n > 0 && before.value !== oldest.n && count > 99) before.value = oldest.n;
  };
  return (
    <section class="chat" aria-label={T.tabs.chat}>
      <div class="bar slim">
        <input class="grow" type="search" aria-label={T.chat.search} placeholder={T.chat.search} value={search.value} onInput={(event) => { search.value = event.currentTarget.value; }} />
      </div>
      <div ref={box} class="said" role="log" aria-live="off" aria-label={T.chat.log} tabIndex={0} onScroll={scrolled}>
        {!shown.length && (word ? <Empty title={T.chat.noMatch} /> : session.value.state === "playing" ? <Empty title={T.chat.emptyPlayed} /> : <Empty title={T.chat.empty}><p>{session.value.can["chat"] ?? T.chat.emptyMore}</p></Empty>)}
        <ol>{shown.map((line, i) => <Said key={line.kind === "chat" ? line.chat.n : `f${line.n}`} line={line} near={i >= shown.length - NEAR} />)}</ol>
      </div>
      {down.value > 0 && (
        <div class="jump"><Button icon="down" label={T.chat.newer(down.value)} onClick={() => { at.current.end = true; box.current?.scrollTo({ top: box.current.scrollHeight }); }} /></div>
      )}
      <Announcer />
      <Say />
    </section>
  );
}

function Said({ line, near }: { line: Line; near: boolean }) {
  if (line.kind === "fold") return <Folded line={line} />;
  const { chat, head } = line;
  if (chat.kind === "notice") return <li class="note"><Word text={chat.text} limit={300} /></li>;
  if (chat.kind !== "chat") {
    return (
      <li class="note act">
        <time>{time(chat.t)}</time> <Who id={chat.id} name={chat.name} /> <Word text={chat.text.replace("urn:decentraland:off-chain:base-emotes:", "")} limit={80} />
      </li>
    );
  }
  const tip = chat.stamp ? T.chat.stamp(time(chat.stamp, true), time(chat.t, true)) : undefined;
  return (
    <li class={`message${chat.ours ? " ours" : ""}${chat.private ? " private" : ""}${head ? " begins" : ""}`}>
      {head && (
        <div class="by">
          <Who id={chat.id} name={chat.name} ours={chat.ours} />
          {chat.private && <span class="badge lock"><Icon name="lock" />{chat.ours ? T.chat.whisperTo((chat.to ?? []).map((id) => nameOf(id)).join(", ")) : T.chat.whispered}</span>}
          {chat.rooms.filter((room) => room !== "island" && room !== "main").map((room) => <span key={room} class="badge"><Word text={room} limit={20} /></span>)}
          {chat.channel && <span class="badge"><Word text={chat.channel} limit={24} /></span>}
          {chat.forwarded_from && <span class="badge">{T.chat.forwarded} <Word text={nameOf(chat.forwarded_from)} limit={20} /></span>}
          <time title={tip}>{time(chat.t)}</time>
        </div>
      )}
      <div class="text" title={head ? undefined : tip}>
        <Long text={chat.text} cut={chat.cut ?? 0} />
        {chat.ours && chat.state && chat.state !== "taken" && <span class={`state ${chat.state}`}> {T.chat.states[chat.state]}</span>}
      </div>
      <Menu chat={chat} near={near} />
    </li>
  );
}

// What can be done with a message: copied, or answered with an emoji, which is a number here as on the wire.
function Menu({ chat, near }: { chat: Chat; near: boolean }) {
  const open = useSignal(false);
  const emoji = useSignal("0");
  const off = readOnly.value ? T.readOnly : (session.value.can["react"] ?? null);
  const react = (): void => {
    if (off) return;
    void act("react", { emoji: Number(emoji.value), message: chat.message_id, ...(chat.private ? { to: [chat.ours ? chat.to?.[0] : chat.id] } : {}) }).then((done) => { if (done) open.value = false; });
  };
  return (
    <div class={`menu${open.value ? " open" : ""}`}>
      <button class="button bare" aria-label={T.chat.menu(nameOf(chat.id, chat.name))} aria-expanded={open.value} tabIndex={near ? 0 : -1} onClick={() => { open.value = !open.value; }}><Icon name="more" /></button>
      {open.value && (
        <form onSubmit={(event) => { event.preventDefault(); react(); }} onKeyDown={(event) => { if (event.key === "Escape") { event.stopPropagation(); open.value = false; } }}>
          <Button icon="copy" label={T.chat.copy} onClick={() => { void copy(chat.text, T.parts.copied); open.value = false; }} />
          {chat.message_id && (
            <>
              <label class="field"><span class="hidden">{T.chat.emoji}</span><input type="number" min={0} max={4095} step={1} title={T.chat.emoji} value={emoji.value} onInput={(event) => { emoji.value = event.currentTarget.value; }} /></label>
              <Button label={T.chat.react} off={off} onClick={react} />
            </>
          )}
        </form>
      )}
    </div>
  );
}

function Who({ id, name, ours = false }: { id: string; name: string; ours?: boolean }) {
  return (
    <button
      class="who" onClick={() => { if (!ours) selected.value = id; }} title={ours ? undefined : id.slice(0, 100)}
      onAuxClick={() => { if (!ours) to.value = [...to.value, id]; }}
    >
      <Dot id={id} /><Word text={ours ? T.you : nameOf(id, name)} limit={30} strong />
    </button>
  );
}

function Folded({ line }: { line: Extract<Line, { kind: "fold" }> }) {
  const open = useSignal(false);
  const text = [line.join.length ? T.chat.joined(line.join.length, nameOf(line.join[0]!.id, line.join[0]!.name)) : "", line.leave.length ? T.chat.left(line.leave.length, nameOf(line.leave[0]!.id, line.leave[0]!.name)) : ""].filter(Boolean).join(" · ");
  const all = [...line.join, ...line.leave].sort((a, b) => a.n - b.n);
  if (all.length < 2) return <li class="note"><Word text={text} limit={80} /></li>;
  return (
    <li class="note">
      <button class="quiet" aria-expanded={open.value} onClick={() => { open.value = !open.value; }}><Word text={text} limit={100} /></button>
      {open.value && <ul>{all.map((each) => <li key={each.n}><time>{time(each.t)}</time> <Word text={nameOf(each.id, each.name)} limit={40} /> {each.kind === "join" ? T.chat.came : T.chat.went}</li>)}</ul>}
    </li>
  );
}

// For a screen reader: how many came, once in three seconds at most, and not each one.
function Announcer() {
  const text = useSignal("");
  const seen = useRef(chats.value[chats.value.length - 1]?.n ?? 0);
  useEffect(() => {
    const timer = setInterval(() => {
      const fresh = chats.value.filter((each) => each.n > seen.current && each.kind === "chat" && !each.ours);
      seen.current = chats.value[chats.value.length - 1]?.n ?? seen.current;
      if (fresh.length) text.value = T.chat.announce(fresh.length);
    }, 3000);
    return () => clearInterval(timer);
  }, []);
  return <p class="hidden" role="status" aria-live="polite">{text.value}</p>;
}
