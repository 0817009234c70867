import { CAPABILITY_WORDS, reasonText } from "../../../token/capabilities/words.ts";
import type { CardView } from "../../../gateway/view.ts";
import type { Language } from "../../i18n/messages.ts";
import { Card, Empty, Facts } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

/** The card itself: by which ways it works, and why; where its profile lies. */
export function CardCard({ screen, language, m }: ViewProps) {
  const { card } = screen.status;
  const c = m.card;
  if (card === undefined) {
    return (
      <Card id="card" title={c.title}>
        <Empty text={c.none} />
      </Card>
    );
  }
  return (
    <Card id="card" title={c.title}>
      <Facts
        facts={[
          { name: c.kind, value: c.application[card.application] },
          {
            name: c.profile,
            value: (
              <span data-carrier={card.carrier ?? "none"}>
                {card.carrier === undefined ? c.noProfile : c.carrier[card.carrier]}
              </span>
            ),
          },
        ]}
      />
      <Ways name={c.identities} ways={card.identities} names="identities" language={language} />
      <Ways name={c.carriers} ways={card.carriers} names="carriers" language={language} />
    </Card>
  );
}

function Ways(
  props: {
    name: string;
    ways: CardView["identities"] | CardView["carriers"];
    names: "identities" | "carriers";
    language: Language;
  },
) {
  const { name, ways, names, language } = props;
  if (ways.length === 0) return null;
  const words = CAPABILITY_WORDS[language];
  const titles: Readonly<Record<string, string>> = words[names];
  return (
    <>
      <h3 class="ways-title">{name}</h3>
      <ul class="ways">
        {ways.map(({ way, open, reason }) => (
          <li key={way} data-way={way} data-open={open}>
            <span>{titles[way]}</span>
            <span class={`badge way-${open}`}>{words.open[open]}</span>
            <p class="soft">{reasonText(reason, language)}</p>
          </li>
        ))}
      </ul>
    </>
  );
}
