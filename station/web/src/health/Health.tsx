// How the connection does: rates, losses and what they mean, limits, the token, islands, the doctor, the log.
import { useSignal } from "@preact/signals";
import type { Failure, Finding } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { report } from "../shell/doing.ts";
import { Button, Empty, Problem } from "../parts/ui.tsx";
import { bytes, nameOf, number, short, span, time, Word } from "../parts/words.tsx";
import { failure, link } from "../state/link.ts";
import { events, now, session, stats, welcome } from "../state/store.ts";
import { Chart } from "./Chart.tsx";

const H = T.health;

export function Health() {
  const told = stats.value;
  if (!told) return <Empty title={H.measuring} />;
  const lost = Object.entries(told.lost).filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  const rooms = session.value.rooms;
  return (
    <section class="health scroll" aria-label={T.tabs.health}>
      <div class="bar"><h3 class="grow">{H.title}</h3><Button label={H.report} icon="copy" onClick={report} /></div>
      <div class="charts">
        <Chart title={H.packets} unit="/s" lines={[{ label: H.in, hue: 0, of: (each) => each.in.pps }, { label: H.out, hue: 1, dash: [5, 3], of: (each) => each.out.pps }]} />
        <Chart title={H.bytes} unit=" kB/s" lines={[{ label: H.in, hue: 0, of: (each) => each.in.bps / 1000 }, { label: H.out, hue: 1, dash: [5, 3], of: (each) => each.out.bps / 1000 }]} />
        {told.round_trip !== null && told.round_trip !== undefined && <Chart title={H.trip} unit=" ms" lines={[{ label: H.trip, hue: 2, of: (each) => (typeof each.round_trip === "number" ? each.round_trip * 1000 : null) }]} />}
      </div>
      {typeof told.round_trip !== "number" && <p class="hint">{H.noTrip}</p>}
      <Doctor />
      <div class="columns">
        <section>
          <h3>{H.kinds}</h3>
          <Kinds />
        </section>
        <section>
          <h3>{H.lost}</h3>
          {lost.length === 0 && told.missed === 0 ? <p class="good">{H.noneLost}</p> : (
            <table><tbody>
              {lost.map(([reason, count]) => <tr key={reason}><th scope="row"><code>{reason}</code><span class="dim block">{told.meaning?.[reason] ?? ""}</span></th><td class="num">{number(count)}</td></tr>)}
              {told.missed > 0 && <tr><th scope="row">{H.missed}</th><td class="num">{number(told.missed)}</td></tr>}
            </tbody></table>
          )}
        </section>
        <section>
          <h3>{H.rooms}</h3>
          <table><tbody>{rooms.map((room) => <tr key={room.label}><th scope="row">{room.label}</th><td><Word text={room.name} limit={40} /></td><td>{room.state}</td></tr>)}</tbody></table>
          {told.token && <Token />}
        </section>
        <section>
          <h3>{H.queues}</h3>
          <dl class="facts">
            {told.queue && (["waiting", "in_flight", "credits", "unread"] as const).map((key) => <div key={key}><dt>{H.queue[key]}</dt><dd>{told.queue?.[key] ?? "–"}</dd></div>)}
            <div><dt>{H.reconnects}</dt><dd>{told.reconnects}</dd></div>
            <div><dt>{H.kept}</dt><dd>{H.keptOf(number(told.kept.packets), bytes(told.kept.bytes))}</dd></div>
            <div><dt>{H.pages}</dt><dd>{told.pages}</dd></div>
            {told.wrong_tokens > 0 && <div class="bad"><dt>{H.wrongTokens}</dt><dd>{told.wrong_tokens}</dd></div>}
          </dl>
        </section>
        <section>
          <h3>{H.limits}</h3>
          {told.limits.length === 0 ? <p class="good">{H.noLimits}</p> : (
            <table><tbody>{told.limits.map((each, i) => <tr key={i}><th scope="row"><code>{each.limit}</code></th><td class="num">{number(each.value)}</td><td>{time(each.t)}</td><td>{each.id ? <Word text={nameOf(each.id)} limit={20} /> : ""}</td></tr>)}</tbody></table>
          )}
        </section>
        {told.islands.length > 0 && <section><h3>{H.islands}</h3><table><tbody>{told.islands.slice(-8).map((each, i) => <tr key={i}><td>{time(each.t)}</td><td><Word text={each.id} limit={40} /></td></tr>)}</tbody></table></section>}
      </div>
      <h3>{H.log}</h3>
      <ol class="log">
        {events.value.slice(-200).reverse().map((each) => (
          <li key={each.n} class={each.level}>
            <time>{time(each.t)}</time> <span class="level">{H.levels[each.level]}</span> <span><Word text={each.text} limit={300} />{each.fix && <span class="dim"> {each.fix}</span>}</span>
          </li>
        ))}
      </ol>
      <p class="dim">{T.settings.version(welcome.value?.version ?? "?")}</p>
    </section>
  );
}

function Kinds() {
  const { kinds_in: into, kinds_out: out } = stats.value!;
  const all = [...new Set([...Object.keys(into), ...Object.keys(out)])].sort((a, b) => (into[b] ?? 0) + (out[b] ?? 0) - (into[a] ?? 0) - (out[a] ?? 0));
  if (!all.length) return <p class="dim">{T.packets.empty}</p>;
  return (
    <table>
      <thead><tr><th scope="col">{T.packets.kind}</th><th scope="col" class="num">{H.in}</th><th scope="col" class="num">{H.out}</th></tr></thead>
      <tbody>{all.map((kind) => <tr key={kind}><th scope="row">{kind}</th><td class="num">{number(into[kind] ?? 0)}/s</td><td class="num">{number(out[kind] ?? 0)}/s</td></tr>)}</tbody>
    </table>
  );
}

function Token() {
  const token = stats.value?.token;
  if (!token) return null;
  const left = token.expires ? token.expires - now.value : null;
  return (
    <dl class="facts">
      <div><dt>{H.identity}</dt><dd><Word text={short(token.identity)} /></dd></div>
      <div><dt>{H.expires}</dt><dd class={left !== null && left < 60 ? "bad" : ""}>{left === null ? H.never : left > 0 ? span(left) : H.expired}</dd></div>
      <div><dt>{H.grants}</dt><dd>{Object.entries(token.grants).filter(([, on]) => on === true || (Array.isArray(on) && on.length > 0)).map(([name]) => <span key={name} class="badge">{name}</span>)}</dd></div>
    </dl>
  );
}

function Doctor() {
  const findings = useSignal<Finding[] | null>(null);
  const busy = useSignal(false);
  const problem = useSignal<Failure | null>(null);
  const run = (): void => {
    busy.value = true;
    link.ask<{ findings: Finding[] }>("doctor").then((told) => { findings.value = told.findings; problem.value = null; }, (error) => { problem.value = failure(error); }).finally(() => { busy.value = false; });
  };
  return (
    <section class="doctor">
      <div class="bar"><h3 class="grow">{H.doctor}</h3><Button label={busy.value ? H.examining : H.examine} off={busy.value ? H.examining : null} onClick={run} /></div>
      <Problem failure={problem.value} />
      {findings.value && <Findings all={findings.value} />}
      {!findings.value && !problem.value && <p class="dim">{H.doctorMore}</p>}
    </section>
  );
}

export function Findings({ all }: { all: Finding[] }) {
  return <ul class="findings">{all.map((each, i) => <li key={i} class={each.level}><span class="level">{H.findings[each.level]}</span> <span><strong><Word text={each.title} limit={200} /></strong> <Word text={each.text} limit={600} />{each.fix && <span class="block"><Word text={each.fix} limit={400} /></span>}</span></li>)}</ul>;
}
