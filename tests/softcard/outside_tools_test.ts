/** Stock tools use the software card's PIV application on the real pcscd. */
import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import {
  ADMINISTRATION,
  CURVE25519,
  KEYS,
  OBJECTS,
  PINS,
  PKCS11,
  PKCS15,
  READING,
  RESETTING,
} from "./piv_rows.ts";
import { Tools } from "./rows.ts";

labTest("stock tools use the software card", async (t) => {
  await using lab = await Lab.open();
  const machine = await lab.machine("reader");
  await machine.quickAckLoopback();
  const pcscd = await startPcscd(machine);
  let card = await startSoftcard(machine, { state: `${lab.dir}/card`, serial: 4711 });
  const tools = new Tools(machine, lab.dir);
  await tools.must(`
    openssl ecparam -name prime256v1 -genkey -noout -out ca.pem
    openssl req -new -x509 -key ca.pem -subj /CN=ca -out ca.crt -days 2
    openssl req -new -key ca.pem -subj /CN=holder -out holder.csr
    openssl ecparam -name prime256v1 -genkey -noout -out peer.pem
    openssl ec -in peer.pem -pubout -outform DER -out peer.der
    echo message > message
  `);
  await tools.all(t, [...READING, ...PINS, ...OBJECTS, ...KEYS, ...PKCS15, ...PKCS11]);

  await t.step("taken out it is gone; put in again it is the same, without its PIN", async () => {
    await card.remove();
    // pcscd looks at a virtual reader every 0.4 s.
    while ((await tools.run("opensc-tool -n")).code === 0) await pause(20);
    await card.insert();
    assert.match(await tools.must("piv -a status"), /^Serial Number:\s+4711$/m);
    await tools.must("piv -a read-object --id 0x5f4000 -f binary -o back; cmp object back");
  });

  await t.step("killed in the middle of writing, it comes back whole", async () => {
    for (let round = 0; round < 5; round++) {
      const writing = tools.run(
        "for i in $(seq 50); do piv -a write-object --id 0x5f4001 -f binary -i object; done",
      );
      await pause(40 + round * 23);
      card.running.signal("SIGKILL");
      await card.running.status;
      await writing;
      card = await startSoftcard(machine, { state: `${lab.dir}/card` });
      assert.equal((await card.status()).pinTries, 3);
      await tools.must("piv -a read-object --id 0x5f4000 -f binary -o back; cmp object back");
    }
  });

  await tools.all(t, [...CURVE25519, ...ADMINISTRATION, ...RESETTING]);
  await card.stop();
  await pcscd.stop();
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
