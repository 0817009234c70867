/** A batch from a CSV file: checked whole, resumed, and nothing half-written. */
import assert from "node:assert/strict";
import { parse } from "smol-toml";
import { startSoftcard } from "../lab/pcscd.ts";
import { labTest } from "../lab/needs.ts";
import { ReaderLab } from "./reader_lab.ts";
import { HUB_KEY, tokenIn } from "./token_command.ts";

const COMMON = `
server_id = "hub"
expires = "2030-01-02"
[server]
public_key = "${HUB_KEY}"
endpoints = ["vpn.example.org:51820"]
[destinations]
networks = ["10.9.0.0/16"]
`;

labTest(
  "a batch names every wrong line, goes on where it ended, and takes no card twice",
  async () => {
    await using lab = await ReaderLab.open();
    const { dir } = lab.lab;
    const token = tokenIn(lab);
    await lab.startService();
    const first = await lab.startCard();
    const second = await startSoftcard(lab.machine, { state: `${dir}/second.state`, port: 35964 });
    const third = await startSoftcard(lab.machine, {
      state: `${dir}/third.state`,
      port: 35964,
      removed: true,
    });
    await token(["issuer-key", "--out", `${dir}/issuer`]);
    await Deno.writeTextFile(`${dir}/common.toml`, COMMON);
    const cards = JSON.parse((await token(["list", "--json"])).stdout);
    const [a, b] = cards.map((one: { id: string }) => one.id);
    await second.remove();
    await third.insert();
    const [, c] = JSON.parse((await token(["list", "--json"])).stdout)
      .map((one: { id: string }) => one.id);
    await third.remove();
    await second.insert();
    assert.equal(new Set([a, b, c]).size, 3, "three cards");

    const csv = (rows: string[]) =>
      Deno.writeTextFile(
        `${dir}/people.csv`,
        ["client_id,user_name,addresses,card,psk", ...rows].join("\r\n") + "\r\n",
      );
    const batch = [
      ...["batch", `${dir}/people.csv`, "--issuer", `${dir}/issuer`, "--out", `${dir}/out`],
      ...["--from", `${dir}/common.toml`, "--no-wait"],
    ];
    await csv([
      `alice,"Example, Alice",10.77.0.2/32,${a},yes`,
      `bob,Bob,10.77.0.300/32,${b},no`,
      `alice,Carol,10.77.0.2/32,${c},no`,
      `dora,Dora,10.77.0.5/32`,
    ]);
    const wrong = await token(batch, { code: 1 });
    const said = wrong.stderr.trim().split("\n");
    assert.equal(said.length, 4, wrong.stderr);
    assert.match(said[0] ?? "", /people\.csv: line 3: .*tunnel\.addresses\.0/);
    assert.match(said[1] ?? "", /people\.csv: line 5: expected 5 values, not 3/);
    assert.match(said[2] ?? "", /line 4: client_id alice is that of line 2 too/);
    assert.match(said[3] ?? "", /line 4: address 10\.77\.0\.2\/32 is that of line 2 too/);
    assert.throws(() => Deno.statSync(`${dir}/out`), "nothing was touched");

    const rows = [
      `alice,"Example, Alice",10.77.0.2/32,${a},yes`,
      `bob,Bob,10.77.0.3/32,${b},no`,
      `carol,Carol,10.77.0.4/32 fd77::4/128,${c},no`,
    ];
    await csv(rows);
    const partly = await token([...batch, "--json"], { code: 1 });
    assert.match(partly.stderr, /\[1\/3\] .*line 2: alice: done, card /);
    assert.match(partly.stderr, /\[3\/3\] .*line 4: carol: Cannot find the card /);
    assert.match(partly.stderr, /1 of 3 rows are not done/);
    const [alice, bob] = partly.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([alice.holder, alice.card, bob.card], ["Example, Alice", a, b]);
    assert.deepEqual(namesIn(`${dir}/out`), ["alice.psk", "alice.toml", "batch.jsonl", "bob.toml"]);
    const peer = parse(Deno.readTextFileSync(`${dir}/out/alice.toml`)) as {
      client: [{ public_key: string; preshared_key_file: string; token: { card: string } }];
    };
    assert.equal(peer.client[0].public_key, alice.clientPublicKey);
    assert.equal(peer.client[0].preshared_key_file, `${dir}/out/alice.psk`);
    assert.equal(peer.client[0].token.card, a);

    // The card that was missing comes: only its row is done.
    await second.remove();
    await third.insert();
    const rest = await token(batch);
    assert.match(rest.stderr, /line 2: alice: done before/);
    assert.match(rest.stderr, /line 4: carol: done, card /);
    const shown = JSON.parse((await token(["show", "--json", "--reader", "00 01"])).stdout);
    assert.equal(shown.profile.holder, "Carol");

    // A date that is past is a slip of the pen: no card is spent on it.
    await Deno.writeTextFile(
      `${dir}/people.csv`,
      `client_id,addresses,expires\nfred,10.77.0.8/32,2001-01-01\n`,
    );
    assert.match(
      (await token(batch, { code: 1 })).stderr,
      /people\.csv: line 2: expires: it lies in the past/,
    );

    // A row that says something else now, and a card that is somebody's.
    await csv([...rows.slice(0, 2), `carol,Carol,10.77.0.44/32,${c},no`]);
    assert.match((await token(batch, { code: 1 })).stderr, /line 4: carol was issued with other/);
    await csv([`dora,Dora,10.77.0.5/32,${c},no`]);
    const taken = await token(batch, { code: 1 });
    assert.match(
      taken.stderr,
      /line 2: dora: Cannot use the card .* this batch gave it to somebody/,
    );
    const elsewhere = [...batch.slice(0, 4), "--out", `${dir}/other`, ...batch.slice(6)];
    const carried = await token(elsewhere, { code: 1 });
    assert.match(carried.stderr, /it carries a profile of Carol; give --replace/);

    // A card that is pulled while it is written: its row is not done, and leaves no file.
    await third.remove();
    await second.insert();
    await csv([`erin,Erin,10.77.0.6/32,${b},yes`]);
    const pulled = [...elsewhere.map((word) => word.replace("/other", "/pulled")), "--replace"];
    await second.fault("pull-at 40");
    const cut = await token(pulled, { code: 1 });
    assert.match(cut.stderr, /line 2: erin: Cannot/);
    assert.deepEqual(namesIn(`${dir}/pulled`), ["batch.jsonl"]);
    await second.fault("none");
    await second.insert();
    await token(pulled);
    assert.deepEqual(namesIn(`${dir}/pulled`), ["batch.jsonl", "erin.psk", "erin.toml"]);

    // A run that was killed between the card and its journal: the row is done again.
    const journal = `${dir}/pulled/batch.jsonl`;
    const lines = Deno.readTextFileSync(journal).trimEnd().split("\n");
    assert.match(lines.at(-1) ?? "", /"client":"erin"/);
    Deno.writeTextFileSync(journal, lines.slice(0, -1).join("\n") + '\n{"client":"er');
    const key = () => Deno.readTextFileSync(`${dir}/pulled/erin.psk`);
    const former = key();
    const resumed = await token(pulled.slice(0, -1));
    assert.match(resumed.stderr, /line 2: erin: done, card /);
    assert.notEqual(key(), former);
    assert.match((await token(pulled.slice(0, -1))).stderr, /erin: done before/);
    Deno.writeTextFileSync(journal, "something else\n");
    assert.match((await token(pulled, { code: 1 })).stderr, /line 1 is no entry of a batch/);
    for (const card of [first, second, third]) await card.stop();
  },
);

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
