import { Card } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

/** The firewall's rules, fetched when asked for. */
export function RulesetCard({ screen, m }: ViewProps) {
  const { ruleset } = screen;
  return (
    <Card id="ruleset" title={m.ruleset.title}>
      <details>
        <summary>{m.ruleset.show}</summary>
        {ruleset === "failed"
          ? <p class="problem" role="alert">{m.ruleset.failed}</p>
          : <pre tabindex={0}>{ruleset?.text ?? "…"}</pre>}
      </details>
    </Card>
  );
}
