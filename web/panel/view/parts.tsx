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
      {props.facts.map(({ name, value }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Shown where a list is empty. */
export function Empty(props: { text: string }) {
  return <p class="empty">{props.text}</p>;
}
