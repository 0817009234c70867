/** Programs on terminals take turns at the card, over HTTP and WebSocket. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { searchMemory } from "../lab/memory_search.ts";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { lines } from "../story/lines.ts";
import { Administrator } from "../story/panel.ts";
import { enginePids } from "../story/observer.ts";
import { openOffice, portalState, unlock, untilPhase } from "../story/visits.ts";
import { ApiClient, PURSE_STATUS, SELECT_PIV, SELECT_PURSE, SIGN_9A, TRIES } from "./api_client.ts";
import { browserAt, missingBrowser, PurseStation, useThePurse } from "./purse_page.ts";
import {
  type JournalLine,
  journalOf,
  openSharedWorld,
  putSigningKey,
  until,
  untilJournal,
} from "./shared_world.ts";

const SOCKET_PROGRAM = fileURLToPath(new URL("./socket_program.ts", import.meta.url));

labTest("programs on terminals take turns at the card", async (t) => {
  await using world = await openSharedWorld("sealed", `terminals = ["*"]\nidle_limit = 6`);
  const { boxes: [box], cards: { office: card }, network: { lab }, adminPassword } = world;
  const [first, second] = box.site.terminals;
  assert.ok(first && second);
  const station = new PurseStation(lab.dir);
  await putSigningKey(lab, card, station.installing);
  const one = new ApiClient(first, box);
  const two = new ApiClient(second, box);

  await t.step("without a card and before its PIN there is nothing to lend", async () => {
    assert.deepEqual((await one.ask("POST", "/leases")).body.fault, "no-card");
    await box.insert(card);
    await untilPhase(first, box, ["pin-asked"]);
    await sleep(300);
    const { status, body } = await one.ask("POST", "/leases");
    assert.equal(status, 409);
    assert.ok(["locked", "no-card"].includes(body.fault), body.fault);
    await box.remove();
    await untilPhase(first, box, ["no-card"]);
    await unlock(first, box, card);
    await until("it is lent", async () => (await one.share()).open);
  });

  await t.step("one has it, the other is told who, its place, and gets its turn", async () => {
    const held = await one.granted();
    assert.equal(await one.command(held.id, TRIES), "63c3", "not the holder's PIN state");
    assert.match(await one.command(held.id, SELECT_PIV), /9000$/);
    const waits = await two.request();
    assert.equal(waits.state, "waiting");
    await one.keeping(held.id, async () => {
      await until("the gateway hears of it", async () => {
        return (await two.ask("GET", `/leases/${waits.id}`)).body.place !== undefined;
      });
      const { body } = await two.ask("GET", `/leases/${waits.id}`);
      assert.deepEqual([body.place, body.holder], [1, "terminal-1"]);
      const { share } = await portalState(second, box) as unknown as {
        share: { place: number; holder: { label: string; mine: boolean } };
      };
      assert.equal(share.place, 1);
      assert.deepEqual([share.holder.label, share.holder.mine], ["terminal-1", false]);
      assert.equal((await one.ask("GET", `/leases/${waits.id}`)).status, 404, "nobody else's");
    });

    assert.equal(await one.command(held.id, "0020008008" + "3132333435363738"), "6985");
    assert.equal(await one.enterPin(held.id, card.pin), "9000");
    assert.match(await one.command(held.id, SIGN_9A), /^7c.*9000$/);
    assert.match(await one.command(held.id, SELECT_PURSE), /9000$/);
    assert.match(await one.command(held.id, PURSE_STATUS), /9000$/);
    await one.release(held.id);
    const next = await two.settled(waits.id);
    assert.equal(next.state, "granted");
    assert.match(await two.command(next.id, PURSE_STATUS), /^6...$/, "no selection passed on");
    assert.equal(await two.command(next.id, TRIES), "63c3", "nor a PIN");
    assert.match(await two.command(next.id, SELECT_PIV), /9000$/);
    assert.equal(await two.command(next.id, SIGN_9A), "6982", "and no PIN verified");
    assert.equal(await two.command(next.id, "00fb0000"), "6d00", "reset isn't allowed");
    assert.equal(await two.command(next.id, "0087119d" + "047c028200" + "00"), "6985");
    await two.release(next.id);
    await openOffice(first);
  });

  await t.step("silence ends a lease; what was held is held no more", async () => {
    const held = await one.granted();
    const waits = await two.request();
    assert.equal((await two.settled(waits.id)).state, "granted");
    const over = await one.ask("GET", `/leases/${held.id}`);
    assert.deepEqual([over.body.state, over.body.reason], ["ended", "idle"]);
    const late = await one.ask("POST", `/leases/${held.id}/commands`, { body: { apdu: TRIES } });
    assert.deepEqual([late.status, late.body.fault], [404, "no-lease"]);
    await two.release(waits.id);
  });

  await t.step("giving up at the portal, and the administrator's revoke", async () => {
    const held = await one.granted();
    const admin = await one.keeping(held.id, async () => {
      const waits = await two.request();
      assert.equal((await two.ask("POST", "/give-up")).status, 204);
      const gone = await two.settled(waits.id);
      assert.ok(gone.state === "ended" && gone.reason === "gave-up", JSON.stringify(gone));
      return await Administrator.signIn(first, box, adminPassword);
    });
    const holder = async () => (await admin.status()).share?.holder?.label;
    await until("the gateway hears of it", async () => await holder() === "terminal-1");
    assert.deepEqual(await admin.post("share/revoke"), { revoked: true });
    assert.equal(await one.over(held.id), "revoked");
    await until("the gateway hears of that", async () => await holder() === undefined);
    assert.deepEqual(await admin.post("share/revoke"), { revoked: false });
  });

  await t.step("bad requests are refused in words, and leave the queue as it is", async () => {
    const held = await one.granted();
    const path = `/leases/${held.id}/commands`;
    const table: [answer: Promise<{ status: number }>, status: number][] = [
      [one.ask("POST", "/leases", { headers: { origin: "https://elsewhere.example" } }), 403],
      [one.ask("POST", path, { body: { apdu: "00" } }), 400],
      [one.ask("POST", path, { body: { apdu: "zz" } }), 400],
      [one.ask("POST", path, { body: { apdu: TRIES, more: 1 } }), 400],
      [one.ask("POST", path, { body: { apdu: "00".repeat(70_000) } }), 413],
      [one.ask("POST", `/leases/${"A".repeat(22)}/commands`, { body: { apdu: TRIES } }), 404],
      [two.ask("POST", path, { body: { apdu: TRIES } }), 404],
      [one.ask("GET", `/leases/${held.id}?wait=soon`), 400],
    ];
    await one.keeping(held.id, async () => {
      for (const [answer, status] of table) assert.equal((await answer).status, status);
    });
    assert.match(await one.command(held.id, SELECT_PIV), /9000$/);
    await one.release(held.id);
    assert.equal((await one.ask("GET", "/openapi.json")).body.openapi, "3.1.0");
  });

  await t.step("a socket: opening asks, commands, closing gives back", async () => {
    const held = await two.granted();
    const authority = `${lab.dir}/socket-authority.pem`;
    await Deno.writeTextFile(authority, box.authority);
    const program = await first.machine.spawn([
      ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--quiet", SOCKET_PROGRAM],
      box.portal.replace("https", "wss") + "/api/v1/card/socket",
      ...[SELECT_PIV, TRIES, "00200080"],
    ], {
      stdout: "piped",
      stderr: "inherit",
      env: { DENO_CERT: authority },
    });
    // deno-lint-ignore no-explicit-any -- whatever it says
    const said: any[] = [];
    const leases = () =>
      said.filter(({ type }) => type === "lease").map(({ lease }) => lease.state);
    const listening = (async () => {
      for await (const line of lines(program.child.stdout)) said.push(JSON.parse(line));
    })();
    await two.keeping(held.id, () => until("it waits", () => leases().includes("waiting")));
    await two.release(held.id);
    await listening;
    assert.deepEqual(new Set(leases()), new Set(["waiting", "granted"]));
    const answers = said.filter(({ type }) => type === "response").map(({ apdu }) => apdu);
    assert.equal(answers[0].slice(-4), "9000");
    assert.ok(answers.length >= 3 && answers.slice(1).every((one) => one === "63c3"));
    assert.ok(
      said.some(({ type, fault }) => type === "fault" && fault === "busy"),
      "one at a time",
    );
    const after = await two.granted();
    await two.release(after.id);
  });

  const noBrowser = missingBrowser();
  await t.step({
    name: `a purse in a browser: waits, tops up, pays, and another waits for it${
      noBrowser === undefined ? "" : ` (skipped: ${noBrowser})`
    }`,
    ignore: noBrowser !== undefined,
    fn: async () => {
      const browser = await browserAt(second.machine, lab.dir);
      try {
        await useThePurse(browser, { box, station, other: one });
      } finally {
        await browser.close();
      }
      for (const command of ["PURSE ASK", "PURSE GRANT", "PURSE DEBIT"]) {
        const isThere = ({ detail }: JournalLine) => String(detail["commands"]).includes(command);
        await untilJournal(box, "lease-ended", (ended) => ended.some(isThere));
      }
    },
  });

  await t.step(
    "a PIN sent through a lease is in no memory, journal or store of the gateway",
    async () => {
      const held = await one.granted();
      await one.command(held.id, SELECT_PIV);
      assert.equal(await one.enterPin(held.id, card.pin), "9000");
      const bytes = new TextEncoder().encode(card.pin);
      const engines = box.engines();
      const needle = [{ name: "PIN", bytes }];
      assert.ok(
        searchMemory(engines, needle).hits.length > 0,
        "the engine has it: the search finds",
      );
      const others = box.ownPids().filter((pid) => !engines.includes(pid));
      const pursePin = { name: "purse PIN", bytes: new TextEncoder().encode(station.pin) };
      assert.deepEqual(searchMemory(others, [...needle, pursePin]).hits, []);
      await one.release(held.id);
      for await (const { name, isFile } of Deno.readDir(box.state)) {
        if (!isFile) continue;
        const content = await Deno.readFile(`${box.state}/${name}`);
        const text = new TextDecoder("latin1").decode(content);
        assert.ok(!text.includes(card.pin) && !text.includes(station.pin), name);
      }
      using database = new DatabaseSync(`${box.state}/gateway.db`, { readOnly: true });
      const dump = JSON.stringify(database.prepare("SELECT * FROM journal").all());
      assert.ok(!dump.includes(card.pin) && !dump.includes(bytes.toHex()));
      assert.ok(!dump.includes("7c2482"), "no body of a command");
      const ended = journalOf(box, "lease-ended").map(({ detail }) => detail);
      assert.ok(
        ended.some((one) => /VERIFY 1/.test(String(one["commands"]))),
        JSON.stringify(ended),
      );
    },
  );

  await t.step("pulled in mid-lease: it ends at once, and no engine is left", async () => {
    const held = await one.granted();
    const waits = await two.request();
    await box.remove();
    assert.equal(await one.over(held.id), "card-gone");
    assert.equal(await two.over(waits.id), "card-gone");
    await untilPhase(first, box, ["no-card"]);
    await until("no engine is left", () => enginePids(box.machine.pids()).length === 0);
  });
});
