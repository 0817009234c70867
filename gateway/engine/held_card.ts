/** The application of a card that opens its profile, and what both kinds of it can. */
import type { CardChannel } from "../../token/apdu/channel.ts";
import { type OpenPgpClient, selectOpenPgp } from "../../token/openpgp/client.ts";
import { type PivClient, selectPiv } from "../../token/piv/client.ts";

/** A selected application. Each verifies its own PIN and counts its own tries. */
export type HeldCard =
  | { readonly application: "piv"; readonly id: string; readonly client: PivClient }
  | {
    readonly application: "openpgp";
    readonly id: string;
    readonly client: OpenPgpClient;
    /** Its X25519 decryption key (32 bytes); `undefined`: it has none, or one of another kind. */
    readonly publicKey: Uint8Array | undefined;
  };

/** `undefined`: no PIV card, or one that says nowhere which card it is. */
export async function holdPiv(channel: CardChannel): Promise<HeldCard | undefined> {
  const client = await selectPiv(channel);
  const id = await client?.cardId();
  return client && id !== undefined ? { application: "piv", id, client } : undefined;
}

/** `undefined`: no OpenPGP card. */
export async function holdOpenPgp(channel: CardChannel): Promise<HeldCard | undefined> {
  const client = await selectOpenPgp(channel);
  if (client === undefined) return undefined;
  const { decryption } = await client.applicationData();
  const isX25519 = decryption.kind === "ecdh" && decryption.curve === "x25519";
  return {
    application: "openpgp",
    id: await client.cardId(),
    client,
    publicKey: isX25519 ? await client.decryptionKey() : undefined,
  };
}
