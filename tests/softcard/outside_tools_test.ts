/** Stock tools use the software card on the real pcscd: each command, and what must come of it. */
import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import type { Machine, RunResult } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";

labTest("stock tools use the software card", async (t) => {
  await using lab = await Lab.open();
  const machine = await lab.machine("reader");
  await machine.quickAckLoopback();
  const pcscd = await startPcscd(machine);
  let card = await startSoftcard(machine, { state: `${lab.dir}/card`, serial: 4711 });
  const { must, run, piv } = toolsIn(machine, lab.dir);
  await must(`
    openssl ecparam -name prime256v1 -genkey -noout -out ca.pem
    openssl req -new -x509 -key ca.pem -subj /CN=ca -out ca.crt -days 2
    openssl req -new -key ca.pem -subj /CN=holder -out holder.csr
    openssl ecparam -name prime256v1 -genkey -noout -out peer.pem
    openssl ec -in peer.pem -pubout -outform DER -out peer.der
    echo message > message
  `);

  await t.step("opensc-tool names it a PIV card by its answer to reset", async () => {
    assert.match((await run("opensc-tool -n")).stdout, /^Personal Identity Verification Card$/m);
    const atr = "3b:8d:80:01:80:fb:a0:00:00:03:08:00:00:10:00:01:00:cd";
    assert.equal((await must("opensc-tool -a")).trim(), atr);
  });

  await t.step("yubico-piv-tool shows its status", async () => {
    const status = await piv("-a status");
    assert.match(status, /^Version:\s+5\.7\.0$/m);
    assert.match(status, /^Serial Number:\s+4711$/m);
    assert.match(status, /^PIN tries left:\s+3$/m);
    assert.match(status, /^CHUID:\s+3019/m);
  });

  await t.step("verify-pin: right, then a countdown, then right again", async () => {
    await piv("-a verify-pin -P 123456");
    const wrong = () => run("yubico-piv-tool -r Virtual -a verify-pin -P 000000");
    assert.match((await wrong()).stderr, /2 tries left/);
    assert.match((await wrong()).stderr, /1 tries left/);
    await piv("-a verify-pin -P 123456");
    assert.equal((await card.status()).pinTries, 3);
  });

  await t.step("write-object and read-object bring 3,000 bytes there and back", async () => {
    await must("head -c 3000 /dev/urandom > object");
    await piv("-a write-object --id 0x5f4000 -f binary -i object");
    await piv("-a read-object --id 0x5f4000 -f binary -o object.back");
    await must("cmp object object.back");
  });

  await t.step("P-256 in 9a: generate, certificate signed by openssl, import, test", async () => {
    await certified("9a", "ECCP256");
    assert.match(await piv("-a status"), /Slot 9a:[\s\S]*Algorithm:\s+ECCP256[\s\S]*CN=holder/);
    await piv("-a read-certificate -s 9a -o back.crt");
    await must("openssl verify -CAfile ca.crt back.crt");
    const use = "-a verify-pin -P 123456";
    assert.match(await said(`${use} -a test-signature -s 9a -i 9a.crt`), /Successful ECDSA/);
    assert.match(await said(`${use} -a test-decipher -s 9a -i 9a.crt`), /performed ECDH exchange/);
    const without = await run("yubico-piv-tool -r Virtual -a test-signature -s 9a -i 9a.crt");
    assert.notEqual(without.code, 0, "not without the PIN");
  });

  await t.step(
    "RSA-2048 in 9c: generate, import, sign and decipher, the PIN each time",
    async () => {
      await certified("9c", "RSA2048");
      const use = "-a verify-pin -P 123456";
      assert.match(await said(`${use} -a test-signature -s 9c -i 9c.crt`), /Successful RSA/);
      assert.match(
        await said(`${use} -a test-decipher -s 9c -i 9c.crt`),
        /performed RSA decryption/,
      );
      const twice = await run(
        `yubico-piv-tool -r Virtual ${use} -a test-signature -a test-signature -s 9c -i 9c.crt`,
      );
      assert.notEqual(twice.code, 0, "one PIN is one signature");
    },
  );

  await t.step("imported keys: RSA in 82, P-256 in 83", async () => {
    await must("openssl genrsa -out rsa.pem 2048");
    await must("openssl req -new -x509 -key rsa.pem -subj /CN=imported -days 2 -out rsa.crt");
    await piv("-a import-key -s 82 -i rsa.pem");
    const use = "-a verify-pin -P 123456";
    assert.match(await said(`${use} -a test-decipher -s 82 -i rsa.crt`), /RSA decryption/);
    await must("openssl req -new -x509 -key peer.pem -subj /CN=imported -days 2 -out peer.crt");
    await piv("-a import-key -s 83 -i peer.pem");
    assert.match(await said(`${use} -a test-signature -s 83 -i peer.crt`), /Successful ECDSA/);
  });

  await t.step(
    "attest: openssl verifies it with the card's own attestation certificate",
    async () => {
      await piv("-a attest -s 9a -o attestation.crt");
      await piv("-a read-certificate -s f9 -o attester.crt");
      await must("openssl verify -CAfile attester.crt attestation.crt");
      await must("openssl x509 -in attestation.crt -noout -pubkey | cmp - 9a.pub");
      const imported = await run("yubico-piv-tool -r Virtual -a attest -s 83");
      assert.notEqual(imported.code, 0, "an imported key wasn't made here");
    },
  );

  await t.step("pkcs11-tool signs with 9a and 9c; openssl verifies", async () => {
    const sign = "pkcs11-tool --login --pin 123456 --sign -i message";
    await must(`${sign} -m ECDSA-SHA256 --id 01 --signature-format openssl -o ec.sig`);
    await must("openssl dgst -sha256 -verify 9a.pub -signature ec.sig message");
    await must(`${sign} -m SHA256-RSA-PKCS --id 02 -o rsa.sig`);
    await must("openssl dgst -sha256 -verify 9c.pub -signature rsa.sig message");
    const wrong = await run(sign.replace("123456", "999999") + " -m ECDSA-SHA256 --id 01");
    assert.match(wrong.stderr, /CKR_PIN_INCORRECT/);
    await piv("-a verify-pin -P 123456");
  });

  await t.step("pkcs11-tool derives with 9d what openssl derives", async () => {
    await certified("9d", "ECCP256");
    await must(
      "pkcs11-tool --login --pin 123456 --derive -m ECDH1-COFACTOR-DERIVE --id 03 " +
        "-i peer.der -o derived",
    );
    await must("openssl pkeyutl -derive -inkey peer.pem -peerkey 9d.pub -out derived.openssl");
    await must("cmp derived derived.openssl");
  });

  await t.step("pkcs15-tool lists certificates, keys and PINs", async () => {
    assert.equal((await must("pkcs15-tool -c")).match(/^X\.509 Certificate/gm)?.length, 3);
    assert.equal((await must("pkcs15-tool -k")).match(/^Private (EC|RSA) Key/gm)?.length, 3);
    assert.equal((await must("pkcs15-tool --list-pins")).match(/^PIN \[/gm)?.length, 2);
  });

  await t.step(
    "a card taken out is gone, put in again it is the same, without its PIN",
    async () => {
      await card.remove();
      // pcscd looks at a virtual reader every 0.4 s.
      while ((await run("opensc-tool -n")).code === 0) await pause(20);
      await card.insert();
      assert.match(await piv("-a status"), /^Serial Number:\s+4711$/m);
      await piv("-a read-object --id 0x5f4000 -f binary -o object.back");
      await must("cmp object object.back");
    },
  );

  await t.step("killed in the middle of writing, it comes back whole", async () => {
    for (let round = 0; round < 5; round++) {
      const writing = run(
        "for i in $(seq 50); do yubico-piv-tool -r Virtual -a write-object --id 0x5f4001 " +
          "-f binary -i object; done",
      );
      await pause(40 + round * 23);
      card.running.signal("SIGKILL");
      await card.running.status;
      await writing;
      card = await startSoftcard(machine, { state: `${lab.dir}/card` });
      assert.equal((await card.status()).pinTries, 3);
      await piv("-a read-object --id 0x5f4000 -f binary -o object.back");
      await must("cmp object object.back");
    }
  });

  await t.step("change-pin, the old one blocks, unblock-pin, change-puk", async () => {
    await piv("-a change-pin -P 123456 -N 654321");
    for (let i = 0; i < 3; i++) await run("yubico-piv-tool -r Virtual -a verify-pin -P 123456");
    const blocked = await run("yubico-piv-tool -r Virtual -a verify-pin -P 654321");
    assert.match(blocked.stderr, /blocked/);
    await piv("-a unblock-pin -P 12345678 -N 222222");
    await piv("-a verify-pin -P 222222");
    await piv("-a change-puk -P 12345678 -N 87654321");
    assert.match(
      await said("-a verify-pin -P 222222 -a test-signature -s 9a -i 9a.crt"),
      /Successful ECDSA/,
      "the keys came along",
    );
  });

  await t.step("set-mgm-key: the old one no longer opens", async () => {
    const key = "a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8";
    await piv(`-a set-mgm-key -n ${key}`);
    assert.notEqual((await run("yubico-piv-tool -r Virtual -a set-chuid")).code, 0);
    await piv(`--key=${key} -a set-chuid -a set-ccc`);
    await piv(
      `--key=${key} -a verify-pin -P 222222 -a pin-retries --pin-retries 4 --puk-retries 5`,
    );
    const wrong = await run("yubico-piv-tool -r Virtual -a verify-pin -P 000000");
    assert.match(wrong.stderr, /3 tries left/);
  });

  await t.step("reset: refused while a PIN is left, then back to the factory's state", async () => {
    assert.notEqual((await run("yubico-piv-tool -r Virtual -a reset")).code, 0);
    for (let i = 0; i < 6; i++) {
      await run("yubico-piv-tool -r Virtual -a verify-pin -P 000000");
      await run("yubico-piv-tool -r Virtual -a change-puk -P 00000000 -N 11111111");
    }
    await piv("-a reset");
    const status = await piv("-a status");
    assert.match(status, /^PIN tries left:\s+3$/m);
    assert.doesNotMatch(status, /Slot 9a/);
    await piv("-a verify-pin -P 123456");
  });

  await card.stop();
  await pcscd.stop();

  /** Generates a key, has openssl make its certificate, imports that. */
  async function certified(slot: string, algorithm: string): Promise<void> {
    await piv(`-a generate -s ${slot} -A ${algorithm} -o ${slot}.pub`);
    await must(
      `openssl x509 -req -in holder.csr -CA ca.crt -CAkey ca.pem -CAcreateserial ` +
        `-force_pubkey ${slot}.pub -days 2 -out ${slot}.crt`,
    );
    await piv(`-a import-certificate -s ${slot} -i ${slot}.crt`);
  }

  /** What yubico-piv-tool told on its error output, where it tells results. */
  async function said(args: string): Promise<string> {
    const result = await run(`yubico-piv-tool -r Virtual ${args}`);
    assert.equal(result.code, 0, `yubico-piv-tool ${args}: ${result.stderr}`);
    return result.stderr;
  }
});

/** Runs tools in a machine, in a folder. */
function toolsIn(machine: Machine, folder: string): {
  run(script: string): Promise<RunResult>;
  must(script: string): Promise<string>;
  piv(args: string): Promise<string>;
} {
  const run = (script: string) =>
    machine.run(["timeout", "120", "bash", "-c", `cd ${folder}; ${script}`]);
  const must = async (script: string) => {
    const { code, stdout, stderr } = await run(`set -e; ${script}`);
    assert.equal(code, 0, `${script.trim()}: ${stderr}`);
    return stdout;
  };
  const piv = (args: string) => must(`yubico-piv-tool -r Virtual ${args}`);
  return { run, must, piv };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
