/** Sealing to a password: age's own `scrypt` stanza, which the stock tool opens, with a bound. */
import { randomBytes, scrypt } from "node:crypto";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { Stanza as AgeStanza } from "age-encryption";
import { concat } from "../apdu/tlv.ts";
import { type FileKeyRecipient, StanzaError } from "./container.ts";
import { HIGHEST_WORK_FACTOR } from "./limits.ts";
import type { FileKeyIdentity } from "./types.ts";

/** The stock tool's choice: about a second, 256 MiB. */
const WORK_FACTOR = 18;

const LABEL = new TextEncoder().encode("age-encryption.org/v1/scrypt");
const NONCE = new Uint8Array(12); // every wrapping key is used once

/** Seals to a password (bytes of its UTF-8 form), as the file's only recipient. */
export function passwordRecipient(
  password: Uint8Array,
  options: { workFactor?: number } = {},
): FileKeyRecipient {
  const logN = options.workFactor ?? WORK_FACTOR;
  return {
    async wrapFileKey(fileKey) {
      const salt = new Uint8Array(randomBytes(16));
      const key = await derive(password, { salt, logN });
      const body = chacha20poly1305(key, NONCE).encrypt(fileKey);
      key.fill(0);
      return [new AgeStanza(["scrypt", salt.toBase64({ omitPadding: true }), String(logN)], body)];
    },
  };
}

/** Opens with a password; a wrong one finds no key. */
export function passwordIdentity(password: Uint8Array): FileKeyIdentity {
  return {
    async unwrapFileKey(stanzas) {
      const own = stanzas.find((stanza) => stanza.args[0] === "scrypt");
      if (own === undefined) return null;
      const [, saltText = "", cost = ""] = own.args;
      const logN = /^[1-9]\d?$/.test(cost) ? Number(cost) : Infinity;
      if (logN > HIGHEST_WORK_FACTOR) {
        throw new StanzaError(`Cannot open: the work factor ${cost} is too high`);
      }
      const isWhole = stanzas.length === 1 && own.args.length === 3 && own.body.length === 32 &&
        /^[A-Za-z0-9+/]{22}$/.test(saltText);
      if (!isWhole) throw new StanzaError("Cannot open: the stanza for a password is malformed");
      const key = await derive(password, { salt: Uint8Array.fromBase64(saltText), logN });
      try {
        return chacha20poly1305(key, NONCE).decrypt(own.body);
      } catch {
        return null;
      } finally {
        key.fill(0);
      }
    },
  };
}

/** On a thread of its own: whoever waits for it still sees a card or a stick go. */
function derive(
  password: Uint8Array,
  { salt, logN }: { salt: Uint8Array; logN: number },
): Promise<Uint8Array> {
  const cost = { N: 2 ** logN, r: 8, p: 1, maxmem: 2 ** (HIGHEST_WORK_FACTOR + 11) };
  return new Promise((resolve, reject) => {
    scrypt(password, concat(LABEL, salt), 32, cost, (error, key) => {
      if (error !== null) return reject(error);
      resolve(Uint8Array.from(key));
      key.fill(0);
    });
  });
}
