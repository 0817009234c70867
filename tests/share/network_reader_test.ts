/** Stock programs on two terminals use the gateway's card through their own readers. */
import assert from "node:assert/strict";
import { searchMemory } from "../lab/memory_search.ts";
import { labTest } from "../lab/needs.ts";
import { openOffice, unlock, untilPhase } from "../story/visits.ts";
import {
  type JournalLine,
  journalOf,
  openSharedWorld,
  putSigningKey,
  READER_PORT,
  until,
  untilJournal,
} from "./shared_world.ts";
import { TerminalPc } from "./terminal_pc.ts";

labTest("stock programs on terminals use the gateway's card as if it were theirs", async (t) => {
  await using world = await openSharedWorld("on-card", `terminals = ["*"]\nidle_limit = 30`);
  const { boxes: [box], cards: { office: card }, network: { lab } } = world;
  const [first, second] = box.site.terminals;
  assert.ok(first && second);
  await putSigningKey(lab, card);
  await using one = await TerminalPc.start(first.machine, { box, folder: lab.dir });
  await using two = await TerminalPc.start(second.machine, { box, folder: lab.dir });
  const reader = "-r Virtual";

  await t.step("no card before its holder was verified, and the terminal is told why", async () => {
    await one.untilSaid(/^No card to be had from the gateway \(none is in its reader/);
    await box.insert(world.cards.expired);
    await one.untilSaid(/^No card to be had from the gateway \(the card has expired/);
    assert.notEqual((await one.run("opensc-tool -a")).code, 0);
    await box.remove();
    await untilPhase(first, box, ["no-card"]);
    await box.insert(card);
    await one.untilSaid(/^No card to be had from the gateway \(its holder was not verified/);
    await untilPhase(first, box, ["pin-asked"]);
    assert.notEqual((await one.run("opensc-tool -a")).code, 0);
    await box.remove();
    await untilPhase(first, box, ["no-card"]);
    await unlock(first, box, card);
    await openOffice(first);
    await one.untilCard(true);
    await two.untilCard(true);
  });

  await t.step("opensc-tool: the answer to reset, the card's name", async () => {
    assert.match(await one.must("opensc-tool -n"), /^Personal Identity Verification Card$/m);
    const atr = "3b:8d:80:01:80:fb:a0:00:00:03:08:00:00:10:00:01:00:cd";
    assert.equal((await one.must("opensc-tool -a")).trim(), atr);
  });

  await t.step("yubico-piv-tool: status, PIN, signature", async () => {
    assert.match(await one.must(`yubico-piv-tool ${reader} -a status`), /Slot 9a:[\s\S]*CN=holder/);
    const signed = await one.run(
      `yubico-piv-tool ${reader} -a verify-pin -P ${card.pin} -a test-signature -s 9a -i 9a.crt`,
    );
    assert.match(signed.stderr, /Successful ECDSA/);
  });

  await t.step("pkcs11-tool signs with the PIN, openssl verifies", async () => {
    const sign = `pkcs11-tool --login --pin ${card.pin} --sign -i message -m ECDSA-SHA256 --id 01`;
    await one.must(`${sign} --signature-format openssl -o one.sig`);
    await one.must("openssl dgst -sha256 -verify 9a.pub -signature one.sig message");
    await openOffice(first);
  });

  await t.step(
    "while one has the card the other waits its turn, is told, and then works",
    async () => {
      const before = two.said.length;
      let signing: Promise<string>;
      {
        await using _holding = await one.hold();
        signing = two.must(
          `pkcs11-tool --login --pin ${card.pin} --sign -i message -m ECDSA-SHA256 --id 01 ` +
            "--signature-format openssl -o two.sig",
        );
        await two.untilSaid(/^Waiting for the card: place 1; .* has it now/, before);
      }
      await signing;
      await two.must("openssl dgst -sha256 -verify 9a.pub -signature two.sig message");
      assert.ok(
        two.said.slice(before).some((line) => line.includes("terminal-1")),
        two.said.join(),
      );
    },
  );

  await t.step("nobody's PIN passes on: a signature without one is refused", async () => {
    await one.must(`yubico-piv-tool ${reader} -a verify-pin -P ${card.pin}`);
    const without = await two.run(`yubico-piv-tool ${reader} -a test-signature -s 9a -i 9a.crt`);
    assert.doesNotMatch(without.stderr, /Successful ECDSA/);
  });

  await t.step("what changes the card is refused, and so are the session's own keys", async () => {
    const { pinTries } = await box.softcard.status();
    for (
      const change of [
        "-a change-pin -P 11111111 -N 22222222",
        "-a generate -s 9a -A ECCP256",
        "-a set-chuid",
        "-a reset",
      ]
    ) {
      assert.notEqual((await one.run(`yubico-piv-tool ${reader} ${change}`)).code, 0, change);
    }
    assert.equal((await box.softcard.status()).pinTries, pinTries);
    assert.match(await one.must(`yubico-piv-tool ${reader} -a status`), /Slot 9a:[\s\S]*CN=holder/);
    await openOffice(first);
  });

  await t.step(
    "wrong PINs: two in a session, never the last try, and the tunnel stays",
    async () => {
      const wrong = () => one.run(`yubico-piv-tool ${reader} -a verify-pin -P 00000000`);
      for (let tries = 0; tries < 6; tries++) assert.notEqual((await wrong()).code, 0);
      // pcscd powers the card down, the lease ends, the engine's PIN comes back.
      await until("the tries are back", async () => (await box.softcard.status()).pinTries === 3);
      await openOffice(first);
      const ended = await untilJournal(box, "lease-ended", (lines) => wrongPins(lines) > 0);
      assert.equal(wrongPins(ended), 2);
    },
  );

  await t.step("nonsense at the port: refused, counted, and the next one is served", async () => {
    const host = new URL(box.portal).hostname;
    for (
      const what of ["printf '\\x00\\x01\\x04'", "head -c 5000 /dev/urandom", "echo GET / HTTP/1.0"]
    ) {
      await second.machine.run([
        ...[
          "bash",
          "-c",
          `exec 3<>/dev/tcp/${host}/${READER_PORT}; ${what} >&3; timeout 6 cat <&3`,
        ],
      ]);
    }
    await second.machine.run([
      ...[
        "bash",
        "-c",
        `(printf '\\x00\\x00\\x00\\x02\\x01\\x01\\xff\\xff\\xff\\xff'; sleep 1) | ` +
        `timeout 5 openssl s_client -quiet -connect ${host}:${READER_PORT}`,
      ],
    ]);
    await untilJournal(box, "reader-refused", (lines) => lines.length >= 2);
    await one.untilCard(true);
  });

  await t.step(
    "a PIN that a terminal's program entered is in no memory of the gateway process",
    () => {
      const engines = box.engines();
      const needle = [{ name: "PIN", bytes: new TextEncoder().encode(card.pin) }];
      const others = box.ownPids().filter((pid) => !engines.includes(pid));
      assert.ok(others.length > 0 && searchMemory(engines, needle).hits.length > 0);
      assert.deepEqual(searchMemory(others, needle).hits, []);
    },
  );

  await t.step("the journal says who and what, and no PIN", () => {
    const ended = journalOf(box, "lease-ended");
    assert.ok(
      ended.some(({ detail }) =>
        detail["terminal"] === "terminal-1" && detail["way"] === "reader" &&
        /VERIFY \d/.test(String(detail["commands"])) &&
        /GENERAL AUTHENTICATE \d/.test(String(detail["commands"]))
      ),
      JSON.stringify(ended),
    );
    assert.ok(ended.some(({ detail }) => String(detail["refused"] ?? "") !== ""));
    assert.ok(journalOf(box, "lease-began").length >= ended.length);
    assert.ok(!JSON.stringify(journalOf(box, "")).includes(card.pin));
  });

  await t.step("pulled in mid-lease: gone from every terminal at once", async () => {
    await box.remove();
    await untilPhase(first, box, ["no-card"]);
    await one.untilCard(false);
    await two.untilCard(false);
    await until("no engine is left", () => box.engines().length === 0);
  });
});

function wrongPins(ended: readonly JournalLine[]): number {
  return ended.reduce((sum, { detail }) => sum + Number(detail["wrongPins"] ?? 0), 0);
}

labTest(
  "a terminal that policy doesn't name finds no card, nor does one with another authority",
  async () => {
    await using world = await openSharedWorld("sealed", `terminals = ["192.168.81.250"]`);
    const { boxes: [box], cards: { office: card }, network: { lab } } = world;
    const [first, second] = box.site.terminals;
    assert.ok(first && second);
    await unlock(first, box, card);
    await first.machine.sh("ip addr add 192.168.81.250/24 dev eth0");
    await using stranger = await TerminalPc.start(second.machine, { box, folder: lab.dir });
    await stranger.untilSaid(/No card to be had .*terminals don't name this terminal/);
    assert.notEqual((await stranger.run("opensc-tool -a")).code, 0);
    await untilJournal(
      box,
      "reader-refused",
      (lines) => lines.some(({ detail }) => /not a terminal/.test(String(detail["why"]))),
    );
    const other = world.boxes[1].authority;
    await using doubtful = await TerminalPc.start(first.machine, {
      box,
      folder: lab.dir,
      authority: other,
    });
    await doubtful.untilSaid(/No card to be had .*certificate/);
  },
);
