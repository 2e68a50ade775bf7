import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/panels.css";
import "./style/packets.css";
import "./style/start.css";
import { App } from "./shell/App.tsx";
import { listen } from "./shell/keys.ts";
import { start } from "./state/link.ts";
import { tab, TABS, type Tab } from "./state/settings.ts";

// A panel in a window of its own is this page at #/panel.
const asked = /^#\/(\w+)$/.exec(location.hash)?.[1];
if (asked && (TABS as string[]).includes(asked)) tab.value = asked as Tab;

listen();
start();
render(<App />, document.getElementById("page")!);
