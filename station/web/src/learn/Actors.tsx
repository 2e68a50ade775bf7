// Who spoke to whom, as a row of those who take part and an arrow between two of them.
import { T } from "../texts.ts";

const ORDER = ["core", "you", "realm", "island", "room", "pulse", "peer"];
const WIDE = 84, TALL = 74;

export function Actors({ from, to, name }: { from: string; to: string; name: string }) {
  const shown = ORDER.filter((each) => ["you", "realm", "island", "room"].includes(each) || each === from || each === to);
  const all = [...shown, ...[from, to].filter((each) => each && !ORDER.includes(each))];
  const x = (who: string): number => Math.max(0, all.indexOf(who)) * WIDE + WIDE / 2;
  const wide = all.length * WIDE;
  const [a, b] = [x(from), x(to)];
  const way = Math.sign(b - a) || 1;
  return (
    <svg class="actors" viewBox={`0 0 ${wide} ${TALL}`} width={wide} height={TALL} role="img" aria-label={T.learn.arrow(T.learn.actors[from] ?? from, T.learn.actors[to] ?? to, name)}>
      {all.map((who) => (
        <g key={who} class={who === from || who === to ? "on" : ""}>
          <rect x={x(who) - 38} y="2" width="76" height="24" rx="5" />
          <text x={x(who)} y="18" text-anchor="middle">{T.learn.actors[who] ?? who}</text>
          <line x1={x(who)} x2={x(who)} y1="26" y2={TALL} />
        </g>
      ))}
      {from !== to
        ? <path class="arrow" d={`M${a} 52H${b - way * 7}M${b - way * 9} 47L${b - way} 52L${b - way * 9} 57`} />
        : <path class="arrow" d={`M${a} 44h18v16h-10M${a + 13} 55l-6 5l6 5`} />}
    </svg>
  );
}
