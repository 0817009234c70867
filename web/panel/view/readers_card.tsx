import { Card, Empty, ListLine } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

export function ReadersCard({ screen, m }: ViewProps) {
  const { readers } = screen.status;
  return (
    <Card id="readers" title={m.readers.title}>
      {readers.length === 0 ? <Empty text={m.readers.none} /> : (
        <ul class="list">
          {readers.map((reader) => (
            <ListLine
              key={reader.name}
              name={reader.name}
              value={m.readers.card[reader.card]}
              class={`badge card-${reader.card}`}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}
