import { T } from "../texts.ts";
import { Dialog } from "../parts/ui.tsx";
import { opened } from "./doing.ts";

export function KeysDialog() {
  return (
    <Dialog title={T.keys.title} onClose={() => { opened.value = null; }} wide>
      <div class="keys">
        {T.keys.groups.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>{keys.map(([key, what]) => <div key={key}><dt>{key.split(" ").map((each) => <kbd key={each}>{each}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
          </section>
        ))}
      </div>
      <p class="dim">{T.keys.note}</p>
    </Dialog>
  );
}
