import assert from "node:assert/strict";
import fc from "fast-check";
import { rateKey, SignInLimiter } from "./limiter.ts";

Deno.test("waits double from the fourth wrong try on and stop at five minutes", () => {
  const limiter = new SignInLimiter();
  let now = 1_000_000;
  const waits: number[] = [];
  for (let n = 0; n < 30; n++) {
    const wait = limiter.begin("192.0.2.1", now);
    if (wait > 0) waits.push(wait);
    now += wait;
  }
  assert.deepEqual(waits.slice(0, 4), [2000, 4000, 8000, 16_000]);
  assert.equal(waits.at(-1), 300_000);
});

Deno.test("an address is forgotten after an hour of quiet, and after the right password", () => {
  const limiter = new SignInLimiter();
  for (let n = 0; n < 4; n++) limiter.begin("a", 0);
  assert.ok(limiter.begin("a", 0) > 0);
  assert.equal(limiter.begin("a", 60 * 60_000), 0);
  assert.equal(limiter.begin("a", 60 * 60_000), 0, "and has its free tries again");
  for (let n = 0; n < 4; n++) limiter.begin("b", 0);
  limiter.succeeded("b");
  assert.equal(limiter.begin("b", 0), 0);
});

Deno.test("an IPv6 network shares one limit, an IPv4 address has its own", () => {
  assert.equal(rateKey("192.0.2.1"), "192.0.2.1");
  assert.equal(rateKey("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(rateKey("2001:db8:0:1::5"), rateKey("2001:db8::1:aa:bb:cc:dd"));
  assert.notEqual(rateKey("2001:db8:0:1::5"), rateKey("2001:db8:0:2::5"));
  assert.equal(rateKey("fe80::1%eth0"), rateKey("fe80::2"));
});

Deno.test("however often it is asked, an hour has at most 24 tries for one address", () => {
  const pauses = fc.array(fc.nat(120_000), { minLength: 1, maxLength: 500 });
  fc.assert(fc.property(pauses, (list) => {
    const limiter = new SignInLimiter();
    let now = 0;
    let tries = 0;
    for (const pause of list) {
      now += pause;
      if (now > 60 * 60_000) break;
      if (limiter.begin("x", now) === 0) tries += 1;
    }
    assert.ok(tries <= 24, `${tries} tries in an hour`);
  }));
});
