/** Several applications on one card: each has its own secrets, and no other one's. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { command, encodeCommand } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { concat } from "../apdu/tlv.ts";
import { PIV_AID, PIV_INS } from "../piv/constants.ts";
import {
  encodeInstallation,
  PURSE_CLA,
  PURSE_INS,
  PURSE_ISO_INS,
  STORED_VALUE_AID,
} from "../stored_value/wire.ts";
import { OPENPGP_RID } from "./openpgp/constants.ts";
import { cheapCard, TestCard } from "./test_card.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const select = (card: TestCard, aid: Uint8Array) => card.send([PIV_INS.select, 4, 0], aid).sw;
const PURSE_PIN = concat(utf8("2468"), new Uint8Array(4).fill(0xff));

/** How each application is selected, verified, and asked whether it is. */
const APPLICATIONS = {
  piv: {
    aid: PIV_AID,
    verify: (card: TestCard) => card.verify("123456"),
    // Printed information is read with the PIN only.
    isOpen: (card: TestCard) => card.get(0x5fc109).sw !== SW.SECURITY_STATUS_NOT_SATISFIED,
    asks: (card: TestCard) => card.hex("00200080").sw,
  },
  openPgp: {
    aid: OPENPGP_RID,
    verify: (card: TestCard) => card.send([0x20, 0, 0x82], utf8("123456")).sw,
    isOpen: (card: TestCard) => card.hex("00ca010300").sw === SW.OK,
    asks: (card: TestCard) => card.hex("00200082").sw,
  },
  purse: {
    aid: STORED_VALUE_AID,
    verify: (card: TestCard) => card.send([PURSE_ISO_INS.verify, 0, 0x80], PURSE_PIN).sw,
    isOpen: (card: TestCard) =>
      card.send([PURSE_ISO_INS.readRecord, 1, 4]).sw !== SW.SECURITY_STATUS_NOT_SATISFIED,
    asks: (card: TestCard) => card.hex("00200080").sw,
  },
} as const;
type Name = keyof typeof APPLICATIONS;
const NAMES = Object.keys(APPLICATIONS) as Name[];

Deno.test("selecting one application takes from every other what was verified", () => {
  for (const first of NAMES) {
    for (const second of NAMES.filter((name) => name !== first)) {
      const card = newCard();
      const [one, other] = [APPLICATIONS[first], APPLICATIONS[second]];
      assert.equal(select(card, one.aid), SW.OK);
      assert.ok(!one.isOpen(card), first);
      assert.equal(one.verify(card), SW.OK);
      assert.ok(one.isOpen(card));
      assert.equal(select(card, other.aid), SW.OK);
      assert.ok(!other.isOpen(card), `${first} opened ${second}`);
      assert.equal(other.asks(card), 0x63c3);
      assert.equal(select(card, one.aid), SW.OK);
      assert.ok(!one.isOpen(card), `${first} was still open after ${second}`);
      assert.equal(one.asks(card), 0x63c3);
    }
  }
});

Deno.test("each application counts its own tries", () => {
  const card = newCard();
  select(card, PIV_AID);
  for (let i = 0; i < 3; i++) card.verify("000000");
  assert.equal(card.verify("123456"), SW.AUTH_METHOD_BLOCKED);
  for (const name of ["openPgp", "purse"] as const) {
    select(card, APPLICATIONS[name].aid);
    assert.equal(APPLICATIONS[name].asks(card), 0x63c3, name);
    assert.equal(APPLICATIONS[name].verify(card), SW.OK, name);
  }
  select(card, OPENPGP_RID);
  for (let i = 0; i < 3; i++) card.send([0x20, 0, 0x82], utf8("000000"));
  assert.equal(APPLICATIONS.openPgp.asks(card), SW.AUTH_METHOD_BLOCKED);
  select(card, STORED_VALUE_AID);
  assert.equal(APPLICATIONS.purse.verify(card), SW.OK);
});

Deno.test("a reset of one application leaves the others as they were", () => {
  const card = newCard();
  const { openPgp, purse, piv } = card.card.state;
  select(card, PIV_AID);
  for (let i = 0; i < 3; i++) {
    card.verify("000000");
    card.send([PIV_INS.changeReferenceData, 0, 0x81], new Uint8Array(16).fill(0x30));
  }
  assert.equal(card.hex("00fb0000").sw, SW.OK);
  assert.deepEqual(card.card.state.openPgp, openPgp);
  assert.deepEqual(card.card.state.purse, purse);
  assert.notDeepEqual(card.card.state.piv.pin, piv.pin);
  const { piv: fresh } = card.card.state;
  select(card, OPENPGP_RID);
  card.send([0x20, 0, 0x83], utf8("12345678"));
  assert.equal(card.hex("00e60000").sw, SW.OK);
  assert.equal(card.hex("00440000").sw, SW.OK);
  assert.notDeepEqual(card.card.state.openPgp?.vault, openPgp?.vault);
  assert.deepEqual(card.card.state.piv, fresh);
  assert.deepEqual(card.card.state.purse, purse);
});

Deno.test("a chain and an unread rest end where another application begins", () => {
  const card = newCard();
  select(card, OPENPGP_RID);
  card.hex("10da0101 02 aabb");
  select(card, PIV_AID);
  select(card, OPENPGP_RID);
  card.send([0x20, 0, 0x82], utf8("123456"));
  card.hex("00da0101 01 cc");
  assert.deepEqual(card.hex("00ca010100").data, Uint8Array.of(0xcc));
  assert.equal(card.hex("00ca006e10").sw >> 8, 0x61);
  select(card, PIV_AID);
  assert.equal(card.hex("00c0000000").sw, SW.CONDITIONS_NOT_SATISFIED);
});

Deno.test("the purse's own class is taken by the purse only", () => {
  const card = newCard();
  const status = encodeCommand(command({ cla: PURSE_CLA, ins: PURSE_INS.status }, { ne: 256 }));
  for (const name of ["piv", "openPgp"] as const) {
    select(card, APPLICATIONS[name].aid);
    assert.equal(card.raw(status).sw, SW.CLA_NOT_SUPPORTED, name);
  }
  select(card, STORED_VALUE_AID);
  assert.equal(card.raw(status).sw, SW.OK);
  // In that class, A4 selects nothing.
  assert.equal(card.hex("80a4040005a000000308").sw, SW.INS_NOT_SUPPORTED);
  assert.equal(card.raw(status).sw, SW.OK);
});

Deno.test("in any order of selections, PINs and powers, only the last selected one is open", () => {
  const step = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom("select", "verify", "power"));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const card = newCard();
      let [selected, isVerified]: [Name, boolean] = ["piv", false];
      for (const [name, what] of steps) {
        if (what === "power") {
          card.card.powerUp();
          [selected, isVerified] = ["piv", false];
        } else if (what === "select") {
          assert.equal(select(card, APPLICATIONS[name].aid), SW.OK);
          // PIV selected again stays open, by its standard; the others begin anew.
          if (name !== selected || name !== "piv") isVerified = false;
          selected = name;
        } else {
          assert.equal(APPLICATIONS[selected].verify(card), SW.OK);
          isVerified = true;
        }
        assert.equal(APPLICATIONS[selected].isOpen(card), isVerified, `${selected} after ${what}`);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("the power goes before or after any save: no try comes back, and one PIN opens", () => {
  const fresh = concat(utf8("13579"), new Uint8Array(3).fill(0xff));
  const wrong = concat(utf8("0000"), new Uint8Array(4).fill(0xff));
  const cases: {
    aid: Uint8Array;
    header: [number, number, number];
    data: Uint8Array;
    isRight: boolean;
    pins: Uint8Array[];
    verify: [number, number, number];
  }[] = [
    ...[true, false].map((isRight) => ({
      aid: STORED_VALUE_AID,
      header: [PURSE_ISO_INS.changeReferenceData, 0, 0x80] as [number, number, number],
      data: concat(isRight ? PURSE_PIN : wrong, fresh),
      isRight,
      pins: [PURSE_PIN, fresh],
      verify: [PURSE_ISO_INS.verify, 0, 0x80] as [number, number, number],
    })),
    ...[true, false].map((isRight) => ({
      aid: OPENPGP_RID,
      header: [0x24, 0, 0x81] as [number, number, number],
      data: utf8(isRight ? "123456another" : "000000another"),
      isRight,
      pins: [utf8("123456"), utf8("another")],
      verify: [0x20, 0, 0x81] as [number, number, number],
    })),
  ];
  for (const { aid, header, data, isRight, pins, verify } of cases) {
    const card = newCard();
    select(card, aid);
    card.saved.length = 0;
    const before = card.card.state;
    const { sw } = card.send(header, data);
    assert.equal(sw, isRight ? SW.OK : 0x63c2);
    assert.equal(card.saved.length, isRight ? 3 : 1);
    for (const [cut, state] of [before, ...card.saved].entries()) {
      const tries = (pin: Uint8Array) => {
        const after = new TestCard(state);
        select(after, aid);
        const left = after.send(verify).sw & 0x0f;
        // Nothing is known of the PIN before a try is durably gone.
        const spent = cut === 0 ? 3 : cut === 1 || !isRight ? 2 : 3;
        assert.equal(left, spent, `cut after save ${cut}`);
        return after.send(verify, pin).sw === SW.OK;
      };
      assert.equal(pins.filter(tries).length, 1, `cut after save ${cut}: one PIN opens`);
    }
  }
});

/** A card with a purse that has a PIN; PIV is selected. */
function newCard(): TestCard {
  const card = new TestCard(cheapCard());
  select(card, STORED_VALUE_AID);
  const key = new Uint8Array(32).fill(1);
  const data = encodeInstallation({
    cardId: new Uint8Array(8),
    currency: 392,
    limits: { balance: 100, debit: 100, withoutPin: 100, withoutPinTotal: 100 },
    keys: { load: key, settlement: key, receipt: key },
    pin: PURSE_PIN,
  });
  const install = command({ cla: PURSE_CLA, ins: PURSE_INS.install }, { data });
  assert.equal(card.raw(encodeCommand(install)).sw, SW.OK);
  card.card.powerUp();
  return card;
}
