import { T } from "../texts.ts";
import { Check, Dialog, Select } from "../parts/ui.tsx";
import * as settings from "../state/settings.ts";
import { welcome } from "../state/store.ts";
import { opened } from "./doing.ts";

export function Settings() {
  const themes = Object.entries(T.settings.themes) as [settings.Theme, string][];
  const clocks = Object.entries(T.settings.clocks) as ["local" | "utc" | "relative", string][];
  return (
    <Dialog title={T.settings.title} onClose={() => { opened.value = null; }}>
      <div class="form">
        <Select label={T.settings.theme} value={settings.theme.value} of={themes} onChange={(to) => { settings.theme.value = to; }} />
        <Select label={T.settings.clock} value={settings.clock.value} of={clocks} onChange={(to) => { settings.clock.value = to; }} />
        <Check label={T.settings.dense} on={settings.dense.value} onChange={(on) => { settings.dense.value = on; }} />
        <Check label={T.settings.parcels} on={settings.parcels.value} onChange={(on) => { settings.parcels.value = on; }} />
        <Check label={T.settings.calm} on={settings.calm.value} onChange={(on) => { settings.calm.value = on; }} />
      </div>
      <h3>{T.settings.about}</h3>
      <p>{T.settings.version(welcome.value?.version ?? "?")} <a href="licences.txt" target="_blank" rel="noreferrer">{T.settings.licences}</a></p>
      <p class="dim">{T.settings.promise}</p>
    </Dialog>
  );
}
