/** An OpenPGP card at a gateway, its profile in the gateway's folder. */
import assert from "node:assert/strict";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { KEY_OBJECT } from "../../token/openpgp/card_identity.ts";
import { type OpenPgpClient, selectOpenPgp } from "../../token/openpgp/client.ts";
import { unwrapKey } from "../../token/openpgp/wrapped_key.ts";
import { readAgeIdentity } from "../../token/profile/age_identity.ts";
import { parseBundle } from "../../token/profile/bundle.ts";
import { openContainer } from "../../token/profile/container.ts";
import { factoryCard } from "../../token/softcard/factory.ts";
import { softwareCrypto } from "../../token/softcard/software_crypto.ts";
import type { CardState } from "../../token/softcard/state.ts";
import { StateFile } from "../../token/softcard/state_file.ts";
import { searchMemory } from "../lab/memory_search.ts";
import { rarePin } from "../lab/rare_pin.ts";
import type { Box } from "../story/box.ts";
import type { Card } from "../story/card.ts";
import { Administrator } from "../story/panel.ts";
import { type Secret, secretsOf } from "../story/secrets.ts";
import type { Terminal } from "../story/terminal.ts";
import { enterPin, openOffice, untilNoEngine, untilPhase } from "../story/visits.ts";
import type { World } from "../story/world.ts";
import { CardInProcess } from "../token/card_channel.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

const USER_ID = "tanaka7";

export interface OpenPgpCard extends Card {
  /** The key in its private object: used while the profile is opened, and then no more. */
  readonly objectKey: Secret;
}

/** Makes a card with a PIN of its own, and has the station seal the client's profile to it. */
export async function makeOpenPgpCard(
  office: Card,
  station: {
    dir: string;
    /** Where the profile goes. */
    profile: string;
    /** `token import` of the client's file, the card in the reader. */
    import: (state: string, args: readonly string[]) => Promise<void>;
  },
): Promise<OpenPgpCard> {
  const { dir, profile } = station;
  const [state, pin] = [`${dir}/openpgp.card`, rarePin()];
  const fresh = new CardInProcess(factoryCard({ crypto: softwareCrypto, serial: 24681357 }));
  const changed = await (await clientOf(fresh)).changePin({ old: utf8("123456"), new: utf8(pin) });
  assert.equal(changed.outcome, "ok");
  new StateFile(state).save(fresh.state);
  await Deno.writeTextFile(`${dir}/admin`, "12345678\n");
  await Deno.writeTextFile(`${dir}/pin`, `${pin}\n`);
  const recovery = await generateX25519Identity();
  await station.import(state, [
    ...["--openpgp", "--key-object", "--bundle-out", profile, "--pin-file", `${dir}/pin`],
    ...["--new-seal-key", "--admin-pin-file", `${dir}/admin`, "--psk-out", `${dir}/openpgp.psk`],
    ...["--user-name", office.holder, "--user-id", USER_ID, "--ask-user-id", "yes"],
    ...["--expires", "90d"],
    ...["--recovery", await identityToRecipient(recovery)],
  ]);
  const bundle = parseBundle(await Deno.readTextFile(profile));
  const identity = await readAgeIdentity(utf8(`${recovery}\n`));
  assert.ok(bundle && typeof identity === "object");
  const opened = await openContainer(bundle.sealed, identity);
  assert.ok(typeof opened === "object");
  const written = new StateFile(state).load();
  assert.ok(written);
  const objectKey = await readObjectKey(written, pin);
  return { ...office, state, pin, fileKey: opened.fileKey, objectKey };
}

async function readObjectKey(state: CardState, pin: string): Promise<Secret> {
  const client = await clientOf(new CardInProcess(state));
  await client.verifyPin(utf8(pin));
  const [bytes, recipient] = [await client.privateObject(KEY_OBJECT), await client.decryptionKey()];
  assert.ok(bytes && recipient);
  const unwrapped = await unwrapKey(client, { bytes, recipient });
  assert.ok(typeof unwrapped === "object");
  const name = "key in the private object";
  return { kind: "private key", name, bytes: unwrapped.key, heldByEngine: false };
}

async function clientOf(card: CardInProcess): Promise<OpenPgpClient> {
  const client = await selectOpenPgp(card);
  assert.ok(client);
  return client;
}

/** Its user id, its PIN with tries, the tunnel, its secrets in memory, and a blocked PIN. */
export async function besideOpenPgp(
  card: OpenPgpCard,
  { world: { adminPassword }, box, terminal }: {
    world: Pick<World, "adminPassword">;
    box: Box;
    terminal: Terminal;
  },
): Promise<void> {
  await box.insert(card);
  const asked = await untilPhase(terminal, box, ["pin-asked", "refused"]);
  assert.deepEqual([asked.asksUserId, asked.triesLeft], [true, undefined]);
  const administrator = await Administrator.signIn(terminal, box, adminPassword);
  const triesLeft = async () => {
    const { session } = await administrator.status();
    assert.ok(session.phase === "pin-asked");
    return session.triesLeft;
  };
  assert.equal(await triesLeft(), 3);
  const enter = (pin: string, userId = USER_ID) => enterPin(terminal, box, pin, { userId });
  for (const [pin, userId, left] of [["00000000", USER_ID, 2], [card.pin, "tanaka8", 3]] as const) {
    const wrong = await enter(pin, userId);
    assert.deepEqual([wrong.outcome, wrong.triesLeft], ["wrong-id-or-pin", undefined]);
    assert.equal(await triesLeft(), left, "the card's own count");
  }
  assert.equal((await enter(card.pin)).outcome, "up");
  await openOffice(terminal);

  const shown = (await administrator.status()).card;
  assert.deepEqual([shown?.application, shown?.carrier], ["openpgp", "folder"]);
  assert.deepEqual(shown?.identities.map(({ reason }) => reason.key), [
    ...["openpgp-needs-piv", "openpgp-key-there"],
  ]);

  const secrets = [...secretsOf(card), card.objectKey];
  const engines = box.engines();
  const during = searchMemory(box.pids(), secrets).hits;
  assert.deepEqual(during.filter(({ pid }) => !engines.includes(pid)), [], "in the engine only");
  const isFound = ({ name }: Secret) => during.some(({ needle }) => needle === name);
  const held = secrets.filter(({ heldByEngine }) => heldByEngine);
  assert.deepEqual(held.filter((one) => !isFound(one)), [], "the search finds what is there");
  assert.deepEqual(held.map(({ kind }) => kind).sort(), [
    ...["PIN", "file key", "preshared key", "private key"],
  ]);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await untilNoEngine(box);
  assert.deepEqual(searchMemory(box.pids(), secrets).hits, [], "nowhere once the card is out");

  // Tries are the card's own, and a blocked PIN is no damaged profile.
  await box.insert(card);
  await untilPhase(terminal, box, ["pin-asked"]);
  assert.equal(await triesLeft(), 3);
  for (const expected of ["wrong-id-or-pin", "wrong-id-or-pin", "blocked"]) {
    assert.equal((await enter("00000000")).outcome, expected);
  }
  await untilPhase(terminal, box, ["blocked"]);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await box.insert(card);
  await untilPhase(terminal, box, ["blocked"]);
}
