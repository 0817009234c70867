import assert from "node:assert/strict";
import fc from "fast-check";
import { command, encodeCommand } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { PIV_AID_WITHOUT_VERSION } from "../piv/constants.ts";
import { ApduPolicy, LeaseAudit, type PolicyOptions } from "./apdu_policy.ts";

const WALLET = Uint8Array.from([0xf0, 1, 2, 3, 4, 5]);
const OPTIONS: PolicyOptions = {
  way: "reader",
  allow: [],
  protectedKeys: [0x9d, 0x82],
  applications: [{ aid: WALLET, classes: [0x80], instructions: { 0x50: "BALANCE" } }],
};

const apdu = (cla: number, ins: number, p1 = 0, p2 = 0, data: number[] = []) =>
  encodeCommand(command({ cla, ins, p1, p2 }, { data: Uint8Array.from(data) }));
const select = (aid: Uint8Array) => apdu(0, 0xa4, 4, 0, [...aid]);

function onPiv(options: Partial<PolicyOptions> = {}): ApduPolicy {
  const policy = new ApduPolicy({ ...OPTIONS, ...options });
  policy.answered(select(PIV_AID_WITHOUT_VERSION), SW.OK);
  return policy;
}

function said(policy: ApduPolicy, raw: Uint8Array): string {
  const verdict = policy.judge(raw);
  return verdict.verdict === "refuse" ? verdict.sw.toString(16) : verdict.verdict;
}

const PIN = [0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0xff, 0xff];

Deno.test("policy: what terminals may say to a PIV card", () => {
  const table: [raw: Uint8Array, verdict: string][] = [
    [select(PIV_AID_WITHOUT_VERSION), "forward"],
    [apdu(0, 0xcb, 0x3f, 0xff, [0x5c, 3, 0x5f, 0xc1, 5]), "forward"],
    [apdu(0, 0x87, 0x11, 0x9a, [0x7c, 0]), "forward"],
    [apdu(0x10, 0x87, 0x07, 0x9c, [0x7c, 0]), "forward"],
    [apdu(0, 0x87, 0x11, 0x9d, [0x7c, 0]), "6985"],
    [apdu(0, 0x87, 0xe1, 0x82, [0x7c, 0]), "6985"],
    [apdu(0, 0x87, 0xe1, 0x83, [0x7c, 0]), "forward"],
    [apdu(0, 0x87, 0x03, 0x9b, [0x7c, 0]), "6985"],
    [apdu(0, 0x20, 0, 0x80), "forward"],
    [apdu(0, 0x20, 0xff, 0x80), "forward"],
    [apdu(0, 0x20, 0, 0x80, PIN), "probe-first"],
    [apdu(0x10, 0x20, 0, 0x80, PIN), "6884"],
    [apdu(0x01, 0x20, 0, 0x80, PIN), "6e00"],
    [apdu(0x0c, 0xcb, 0x3f, 0xff), "6e00"],
    [apdu(0x80, 0x50), "6e00"],
    ...[0x24, 0x2c, 0x47, 0xdb, 0xfe, 0xff, 0xfa, 0xfb, 0xf6, 0x70, 0xe0].map((ins) =>
      [apdu(0, ins, 0, 0x9c, [1]), "6d00"] as [Uint8Array, string]
    ),
    [Uint8Array.of(0, 0x20, 0), "6700"],
    [Uint8Array.of(0, 0x20, 0, 0x80, 8, 1), "6700"],
  ];
  for (const [raw, verdict] of table) assert.equal(said(onPiv(), raw), verdict, raw.toHex());
});

Deno.test("policy: an OpenPGP key that the session lives on deciphers for nobody else", () => {
  const decipher = apdu(0, 0x2a, 0x80, 0x86, [0xa6, 0]);
  const others = [apdu(0, 0x2a, 0x9e, 0x9a, [1]), apdu(0, 0x47, 0x81, 0, [0xb8, 0])];
  const own = onPiv({ protectedKeys: [0xb8], allow: ["generate"] });
  assert.equal(said(own, decipher), "6985");
  assert.equal(said(own, apdu(0, 0x47, 0x80, 0, [0xb8, 0])), "6985", "nor is it made anew");
  for (const raw of others) assert.equal(said(own, raw), "forward", raw.toHex());
  assert.equal(said(onPiv(), decipher), "forward", "where the session lives on another key");
});

Deno.test("policy: an application's own instructions, only while it is selected", () => {
  const policy = new ApduPolicy(OPTIONS);
  assert.equal(said(policy, apdu(0, 0x87, 0x11, 0x9a, [1])), "forward", "PIV may be the default");
  assert.equal(said(policy, apdu(0, 0x87, 0x11, 0x9d, [1])), "6985");
  assert.equal(said(policy, apdu(0x80, 0x50)), "6e00");
  policy.answered(select(WALLET), 0x6a82);
  assert.equal(said(policy, apdu(0x80, 0x50)), "6e00", "it wasn't found");
  policy.answered(select(WALLET), SW.OK);
  assert.equal(said(policy, apdu(0, 0x87, 0x11, 0x9a, [1])), "6d00", "PIV isn't selected");
  assert.equal(said(policy, apdu(0x80, 0x50)), "forward");
  assert.equal(said(policy, apdu(0x80, 0x51)), "6d00");
  policy.reset();
  assert.equal(said(policy, apdu(0x80, 0x50)), "6e00");
});

Deno.test("policy: what is named is allowed, but never the session's own keys", () => {
  const policy = onPiv({ allow: ["write", "generate", "management", "change-pin"] });
  assert.equal(said(policy, apdu(0, 0xdb, 0x3f, 0xff, [1])), "forward");
  assert.equal(said(policy, apdu(0, 0x47, 0, 0x9a, [1])), "forward");
  assert.equal(said(policy, apdu(0, 0x47, 0, 0x9d, [1])), "6985");
  assert.equal(said(policy, apdu(0, 0x87, 0x03, 0x9b, [1])), "forward");
  assert.equal(said(policy, apdu(0, 0x24, 0, 0x80, [...PIN, ...PIN])), "probe-first");
  assert.equal(said(policy, apdu(0, 0xfb)), "6d00");
});

Deno.test("policy: over the web no PIN goes in and nothing decrypted comes out", () => {
  const policy = onPiv({ way: "program", allow: ["change-pin", "unblock"] });
  assert.equal(said(policy, apdu(0, 0x20, 0, 0x80)), "forward", "how many tries are left");
  assert.equal(said(policy, apdu(0, 0x20, 0, 0x80, PIN)), "6985");
  assert.equal(said(policy, apdu(0, 0x24, 0, 0x80, PIN)), "6985");
  assert.equal(said(policy, apdu(0, 0x2c, 0, 0x80, PIN)), "6985");
  assert.equal(said(policy, apdu(0, 0x87, 0x11, 0x9c, [1])), "forward");
  assert.equal(said(policy, apdu(0, 0x87, 0x11, 0x84, [1])), "6985");
  assert.equal(said(policy, apdu(0, 0x2a, 0x80, 0x86, [1])), "6985");
});

Deno.test("policy: the last try is never spent, nor one that can't be counted", () => {
  const policy = onPiv();
  const probe = apdu(0, 0x20, 0, 0x80);
  for (const sw of [0x63c1, 0x63c0, 0x6983, 0x9000, 0x6a88, 0x6d00]) {
    assert.ok(!policy.mayTry(probe, sw), sw.toString(16));
  }
  assert.ok(policy.mayTry(probe, 0x63c3) && policy.mayTry(probe, 0x63c2));
  assert.ok(policy.mayTry(probe, 0x9000), "verified, and more than one try before that");
  assert.ok(!policy.mayTry(apdu(0, 0x20, 0, 0x81), 0x9000), "another PIN");
  assert.ok(!policy.mayTry(probe, 0x63c1));
});

Deno.test("policy: whatever comes, only forwards what parses and is on the list", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (raw) => {
    const verdict = onPiv().judge(raw);
    if (verdict.verdict === "refuse") return;
    assert.ok(raw.length >= 4 && ((raw[0] ?? 0) & ~0x10) === 0);
    assert.ok(![0x24, 0x2c, 0x47, 0xdb, 0xfe, 0xff, 0xfa, 0xfb].includes(raw[1] ?? 0));
    const hasData = raw.length > 5;
    if (raw[1] === 0x20 && hasData) assert.equal(verdict.verdict, "probe-first");
  }));
});

Deno.test("audit: names and counts, no body", () => {
  const audit = new LeaseAudit();
  audit.ran(apdu(0, 0x20, 0, 0x80, PIN));
  audit.ran(apdu(0, 0x20, 0, 0x80));
  audit.ran(apdu(0, 0xc1));
  audit.refused(apdu(0, 0xfb));
  audit.refused(Uint8Array.of(1));
  assert.deepEqual(audit.commands, { VERIFY: 2, "INS C1": 1 });
  assert.deepEqual(audit.refusals, { RESET: 1, malformed: 1 });
});
