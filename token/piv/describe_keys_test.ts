import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { CardInProcess } from "../../tests/token/card_channel.ts";
import { concat, encodeTlv } from "../apdu/tlv.ts";
import { selectPiv } from "./client.ts";
import { FACTORY_MANAGEMENT_KEY } from "./client_management.ts";
import { OBJECT_TAG, PIV_ALGORITHM } from "./constants.ts";
import { type DescribedCard, describeKeys } from "./describe_keys.ts";
import { PROOF_SEED_BYTES } from "./prove_key.ts";

const random = (length: number) => new Uint8Array(randomBytes(length));
const challenge = () => random(PROOF_SEED_BYTES);

async function cardWithKeys() {
  const piv = await selectPiv(new CardInProcess());
  assert.ok(piv);
  assert.ok(
    await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge: random(16) }),
  );
  await piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.eccP256 });
  await piv.generateKey(0x9d, { algorithm: PIV_ALGORITHM.eccP256 });
  await piv.importKey(0x82, { algorithm: PIV_ALGORITHM.x25519, secret: random(32) });
  const der = await piv.attest(0x9a);
  assert.ok(der);
  const object = concat(encodeTlv(0x70, der), Uint8Array.of(0x71, 1, 0, 0xfe, 0));
  await piv.putObject(OBJECT_TAG.authenticationCertificate, object);
  await piv.verifyPin(new TextEncoder().encode("123456"));
  return { piv, object };
}

Deno.test("an honest card: each key with what is known of it, and no contradiction", async () => {
  const { piv } = await cardWithKeys();
  const keys = await describeKeys(piv, { challenge });
  assert.deepEqual(
    keys.map(({ slot, algorithm, origin, proof }) => [slot, algorithm, origin, proof]),
    [
      [0x9a, "P-256", "generated", "holds"],
      [0x9d, "P-256", "generated", "holds"],
      [0x82, "X25519", "imported", "holds"],
    ],
  );
  assert.ok(keys.every(({ contradictions }) => contradictions.length === 0));
  const [first, second, third] = keys;
  assert.ok(first?.certificate && "subject" in first.certificate);
  assert.match(first.certificate.subject, /9a/);
  assert.deepEqual([first.attestation?.serial, first.attestation?.chain.state], [
    12345678,
    "card's word",
  ]);
  assert.equal(second?.certificate, undefined);
  assert.equal(third?.attestation, undefined, "an imported key is not attested");
});

Deno.test("what doesn't fit together is named", async () => {
  const { piv, object } = await cardWithKeys();
  // The certificate of 9A for the key of 9D.
  await piv.putObject(OBJECT_TAG.keyManagementCertificate, object);
  const [, management] = await describeKeys(piv, { challenge });
  assert.deepEqual(management?.contradictions, ["certificate-of-another-key"]);

  /** The card, telling some things otherwise. */
  const lying = (lies: Partial<DescribedCard>): DescribedCard => ({
    metadata: (slot) => piv.metadata(slot),
    certificate: (slot) => piv.certificate(slot),
    attest: (slot) => piv.attest(slot),
    serial: () => piv.serial(),
    sign: (slot, request) => piv.sign(slot, request),
    agree: (slot, request) => piv.agree(slot, request),
    ...lies,
  });
  const named = async (lies: Partial<DescribedCard>) =>
    (await describeKeys(lying(lies), { challenge }))[0]?.contradictions;
  const swapped = (slot: number) => slot === 0x9a ? 0x9d : slot === 0x9d ? 0x9a : slot;
  assert.deepEqual(await named({ metadata: (slot) => piv.metadata(swapped(slot)) }), [
    "certificate-of-another-key",
    "attestation-broken",
    "key-not-there",
  ]);
  assert.deepEqual(await named({ attest: (slot) => piv.attest(swapped(slot)) }), [
    "attestation-broken",
  ]);
  assert.deepEqual(await named({ serial: () => Promise.resolve(1) }), [
    "attestation-of-another-card",
  ]);
});

Deno.test("a damaged certificate is a fault of its own, and hides nothing else", async () => {
  const { piv } = await cardWithKeys();
  await piv.putObject(OBJECT_TAG.authenticationCertificate, Uint8Array.of(0x70, 1));
  await piv.putObject(
    OBJECT_TAG.keyManagementCertificate,
    encodeTlv(0x70, encodeTlv(0x30, random(30))),
  );
  const [first, second, third] = await describeKeys(piv);
  assert.deepEqual(first?.certificate, { fault: "malformed" });
  assert.deepEqual(second?.certificate, { fault: "not-a-certificate" });
  assert.equal(third?.algorithm, "X25519");
  assert.equal(first?.proof, undefined, "nobody asked");
});
