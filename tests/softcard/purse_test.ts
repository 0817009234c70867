/** A purse from the command line, and a stock tool that pays with it, on the real pcscd. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import { type Row, Tools } from "./rows.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const SELECT = "00:A4:04:00:0A:F0:53:45:4B:49:53:48:4F:02:01";
/** 1,500 yen to AAAAAAAA, its payment number 1. */
const DEBIT = `80:54:00:00:1A:00:00:05:DC:01:88${":41".repeat(8)}:00:00:00:00:00:00:00:01` +
  ":6B:49:D2:00:00";
const STATUS = "80:5C:00:00:00";

const ROWS: readonly Row[] = [
  { shows: "show: there is none yet", run: "purse show", fails: true, says: /the card has none/ },
  {
    shows: "issuer: a file for its owner only, never over another",
    run: "purse issuer --out issuer; stat -c %a issuer; ! purse issuer --out issuer",
    says: [/^600$/m, /it is there already/],
  },
  {
    shows: "install: with a PIN",
    run: "echo 2468 | purse install --issuer issuer --funds 20000 --pin-stdin; purse show",
    says: [/^The card has a purse: [0-9a-f]{16}$/m, /^balance: +0 \(currency 392\)$/m],
  },
  {
    shows: "install: not a second time",
    run: "purse install --issuer issuer --funds 1 --no-pin",
    fails: true,
    says: /has one already/,
  },
  { shows: "top-up", run: "purse top-up 8000 --issuer issuer", says: /^balance: +8000 /m },
  {
    shows: "top-up: more than the account has",
    run: "purse top-up 12001 --issuer issuer",
    fails: true,
    says: /too little in the holder's account/,
  },
  {
    shows: "top-up: not while another command has the file",
    run: "flock -x issuer.lock purse top-up 1 --issuer issuer",
    fails: true,
    says: /another command has it/,
  },
  {
    shows: "top-up: above the card's own limit",
    run: "purse top-up 42001 --issuer issuer",
    fails: true,
    says: /above the purse's limit/,
  },
  {
    shows: "top-up: by another issuer's keys",
    run: `sed 's/"load": "......../"load": "00000000/' issuer > other; ` +
      "purse top-up 10 --issuer other",
    fails: true,
    says: /does not fit this issuer's keys/,
  },
  {
    shows: "opensc-tool: pays, and asked again gets the same receipt and pays nothing",
    run: `apdu ${SELECT} ${DEBIT} | answer > first; apdu ${SELECT} ${DEBIT} | answer > second; ` +
      `cmp first second; purse show`,
    says: /^balance: +6500 /m,
  },
  {
    shows: "limits: what isn't named stays",
    run: `purse limits --most-debit 1400 --issuer issuer; ` +
      `apdu ${SELECT} ${DEBIT.replace(":01:6B", ":03:6B")}; ` +
      "purse limits --most-debit 20000 --issuer issuer",
    says: [/^limits: +balance 50000, debit 1400$/m, /SW1=0x94, SW2=0x02/, /debit 20000$/m],
  },
  {
    shows: "opensc-tool: above the limit, not without the PIN",
    run: `apdu ${SELECT} ${DEBIT.replace("05:DC", "0F:A0").replace(":01:6B", ":02:6B")}`,
    says: /SW1=0x69, SW2=0x82/,
  },
  {
    shows: "opensc-tool: the log is closed without the PIN, open with it",
    run: `apdu ${SELECT} 00:B2:01:04:00; ` +
      `apdu ${SELECT} 00:20:00:80:08:32:34:36:38:FF:FF:FF:FF 00:B2:01:04:00 | answer > log; ` +
      "cmp first log",
    says: /SW1=0x69, SW2=0x82/,
  },
  {
    shows: "opensc-tool: PIV selected in between, and the purse is closed again",
    run: `apdu ${SELECT} 00:20:00:80:08:32:34:36:38:FF:FF:FF:FF 00:A4:04:00:05:A0:00:00:03:08 ` +
      `${SELECT} 00:B2:01:04:00`,
    says: /SW1=0x69, SW2=0x82\)\s*$/,
  },
  {
    shows: "opensc-tool: status",
    run: `apdu ${SELECT} ${STATUS}`,
    says: /SW1=0x90, SW2=0x00\):\n/,
  },
];

labTest("a purse is installed, topped up and used", async (t) => {
  await using lab = await Lab.open();
  const machine = await lab.machine("reader");
  await machine.quickAckLoopback();
  const pcscd = await startPcscd(machine);
  let card = await startSoftcard(machine, { state: `${lab.dir}/card` });
  const tools = new Tools(machine, lab.dir);
  await tools.must(`
    cat > purse <<'END'
#!/bin/bash
exec ${Deno.execPath()} run -A --cached-only --no-prompt ${MAIN} token purse "$@"
END
    chmod +x purse
  `);
  const rows = ROWS.map((row) => ({
    ...row,
    run: row.run.replaceAll(/\bpurse (?=\w)/g, "./purse "),
  }));
  await tools.all(t, rows);

  await t.step("killed while it pays, it paid or it didn't; asked again it paid once", async () => {
    for (let round = 2; round < 8; round++) {
      const order = DEBIT.replace("05:DC", "00:64").replace(":01:6B", `:0${round}:6B`);
      const paying = tools.run(`apdu ${SELECT} ${order}`);
      await new Promise((resolve) => setTimeout(resolve, 10 + round * 4));
      card.running.signal("SIGKILL");
      await card.running.status;
      await paying;
      card = await startSoftcard(machine, { state: `${lab.dir}/card` });
      await tools.must(`apdu ${SELECT} ${order} > paid; grep -q 'SW1=0x90' paid`);
    }
    assert.match(await tools.must("./purse show"), /^balance: +5900 /m);
  });

  await t.step("its state file cut anywhere, the money is still there", async () => {
    for (const share of [0, 1, 3, 7, 9]) {
      await card.stop();
      const { size } = await Deno.stat(`${lab.dir}/card`);
      await Deno.truncate(`${lab.dir}/card`, Math.floor(size * share / 10));
      card = await startSoftcard(machine, { state: `${lab.dir}/card`, log: "null" });
      assert.match(await tools.must("./purse show"), /^balance: +5900 /m);
    }
  });

  await t.step("closed: what was left comes back once, and nothing is paid any more", async () => {
    const closing = "./purse close --issuer issuer";
    assert.match(await tools.must(closing), /is closed: 5900 went back .* has 17900 /);
    assert.match(await tools.must(closing), /was closed before: 5900 .* has 17900 /);
    const after = await tools.must(`
      ./purse show; ./purse accounts --issuer issuer; apdu ${SELECT} ${
      DEBIT.replace(":01:6B", ":0F:6B")
    }
      ! ./purse top-up 1 --issuer issuer`);
    assert.match(after, /\(closed\)[^]*17900 \(currency 392\), closed[^]*SW1=0x94, SW2=0x06/);
  });

  await card.stop();
  await pcscd.stop();
});
