// Recordings: those in the Station's folder, and one that is dropped here and goes up piece by piece.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Failure, Recording } from "../wire/protocol.ts";
import { T } from "../texts.ts";
import { Icon } from "../parts/icons.tsx";
import { Button, Problem } from "../parts/ui.tsx";
import { bytes, minutes, Word } from "../parts/words.tsx";
import { failure, link, sendPieces } from "../state/link.ts";
import { readOnly } from "../state/store.ts";
import { exporting } from "../recording/exporting.ts";
import { open } from "./opening.ts";

const S = T.start;

async function upload(file: File, told: (part: number) => void): Promise<number> {
  const { upload: number } = await link.ask<{ upload: number }>("upload", { name: file.name.slice(0, 200), size: file.size });
  await sendPieces(number, file, told);
  return (await link.ask<{ recording: number }>("uploaded", { upload: number })).recording;
}

export function Recordings() {
  const list = useSignal<Recording[]>([]);
  const problem = useSignal<Failure | null>(null);
  const part = useSignal<number | null>(null);
  const over = useSignal(false);
  const picker = useRef<HTMLInputElement>(null);
  const off = readOnly.value ? T.readOnly : null;
  useEffect(() => {
    link.ask<{ recordings: Recording[] }>("recordings").then((told) => { list.value = told.recordings; }, (error) => { problem.value = failure(error); });
  }, []);
  const play = (n: number): void => { if (!off) void open({ recording: n }).then((no) => { problem.value = no; }); };
  const take = (file: File | undefined): void => {
    if (!file || off) return;
    part.value = 0;
    upload(file, (done) => { part.value = done; }).then(play, (error) => { problem.value = failure(error); }).finally(() => { part.value = null; });
  };
  return (
    <section
      class={`card${over.value ? " over" : ""}`} aria-labelledby="recordings" onDragOver={(event) => { event.preventDefault(); over.value = true; }} onDragLeave={() => { over.value = false; }}
      onDrop={(event) => { event.preventDefault(); over.value = false; take(event.dataTransfer?.files[0]); }}
    >
      <h3 id="recordings"><Icon name="file" />{S.recording}</h3>
      <p>{S.recordingMore}</p>
      {list.value.length > 0 && (
        <ul class="picks files" aria-label={S.recordings}>
          {list.value.map((each) => (
            <li key={each.n}><button aria-disabled={off ? true : undefined} title={off ?? undefined} onClick={() => play(each.n)}>
              <strong><Word text={each.name} limit={34} /></strong><span class="dim">{typeof each.seconds === "number" ? minutes(each.seconds) : ""}</span><span class="dim">{bytes(each.bytes)}{each.whole ? "" : ` · ${S.cut}`}</span>
            </button><Button icon="save" label={T.exports.open(each.name)} text={false} off={off} onClick={() => { exporting.value = { n: each.n, name: each.name }; }} /></li>
          ))}
        </ul>
      )}
      <Problem failure={problem.value} />
      {part.value !== null && <progress value={part.value} aria-label={S.uploading} />}
      <input ref={picker} type="file" accept=".mcap" class="hidden" tabIndex={-1} aria-label={S.choose} onChange={(event) => take(event.currentTarget.files?.[0])} />
      <div class="buttons"><Button label={S.choose} off={off} onClick={() => picker.current?.click()} /></div>
    </section>
  );
}
