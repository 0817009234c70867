import assert from "node:assert/strict";
import { reasonIn } from "./why_no_card.ts";

const say = (value: unknown) => reasonIn(new TextEncoder().encode(JSON.stringify(value)));

Deno.test("why there is no card: what the portal says, in words", () => {
  const closed = { open: false, you: "02:00:00:00:00:01", waiting: [] };
  const table: [answer: unknown, words: RegExp][] = [
    [{ ...closed, closed: "no-card" }, /insert one/],
    [{ ...closed, closed: "locked" }, /enter the PIN at the portal/],
    [{ ...closed, closed: "expired" }, /has expired/],
    [{ ...closed, closed: "blocked" }, /is blocked/],
    [{ ...closed, closed: "refused" }, /does not accept/],
    [{ ...closed, closed: "stick" }, /a stick/],
    [{ ...closed, closed: "locked", you: undefined }, /don't name this terminal/],
    [{ open: true }, /don't name this terminal/],
    [{ error: "Cannot lend the card: …", fault: "not-shared" }, /shares none/],
  ];
  for (const [answer, words] of table) assert.match(say(answer) ?? "", words);
});

Deno.test("why there is no card: nothing is made up", () => {
  for (
    const answer of [
      { open: true, you: "a" },
      { open: false, you: "a", closed: "toString" },
      { open: false, you: "a" },
      { fault: "__proto__" },
      { open: "no" },
      [],
      null,
    ]
  ) {
    assert.equal(say(answer), undefined, JSON.stringify(answer));
  }
  for (const text of ["", "<html>", "{"]) {
    assert.equal(reasonIn(new TextEncoder().encode(text)), undefined);
  }
});
