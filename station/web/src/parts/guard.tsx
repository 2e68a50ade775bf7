// A fault of one panel is said in its place, and takes nothing else with it.
import { Component, type ComponentChildren } from "preact";
import { T } from "../texts.ts";
import { Empty } from "./ui.tsx";

export class Guard extends Component<{ children: ComponentChildren }, { failed: string | null }> {
  override state = { failed: null as string | null };
  static override getDerivedStateFromError(error: unknown): { failed: string } {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
  override componentDidCatch(error: unknown): void {
    console.error(error);
  }
  override render(): ComponentChildren {
    return this.state.failed === null ? this.props.children : <Empty title={T.parts.failed}><p><code>{this.state.failed}</code></p></Empty>;
  }
}
