import type { Child } from "hono/jsx";

/** A titled part of the panel. */
export function Card(
  props: { id: string; title: string; aside?: Child; children?: Child; class?: string },
) {
  return (
    <section
      id={props.id}
      class={`card ${props.class ?? ""}`}
      aria-labelledby={`${props.id}-title`}
    >
      <div class="card-head">
        <h2 id={`${props.id}-title`}>{props.title}</h2>
        {props.aside ?? null}
      </div>
      {props.children}
    </section>
  );
}

/** A name and its value. */
export interface Fact {
  readonly name: string;
  readonly value: Child;
}

export function Facts(props: { facts: readonly Fact[] }) {
  return (
    <dl class="facts">
      {props.facts.map((fact) => <FactPair key={fact.name} fact={fact} />)}
    </dl>
  );
}

function FactPair({ fact }: { fact: Fact }) {
  return (
    <div>
      <dt>{fact.name}</dt>
      <dd>{fact.value}</dd>
    </div>
  );
}

/** One line of a list: a name, and what there is to say of it. */
export function ListLine(props: { name: string; value: string; class: string }) {
  return (
    <li>
      <span>{props.name}</span>
      <span class={props.class}>{props.value}</span>
    </li>
  );
}

/** Shown where a list is empty. */
export function Empty(props: { text: string }) {
  return <p class="empty">{props.text}</p>;
}
