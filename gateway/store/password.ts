/** Password hashes: scrypt (RFC 7914) with a salt of their own, as one text. */
import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** 32 MiB and about 0.1 s for one try on a small box; our own choice. */
const COST = { N: 1 << 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** "scrypt$N$r$p$salt$hash", the last two in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { salt, ...COST });
  return ["scrypt", COST.N, COST.r, COST.p, salt.toString("base64"), hash.toString("base64")]
    .join("$");
}

/** False for a wrong password, and for a text that is no hash. */
export async function matchesPassword(password: string, stored: string): Promise<boolean> {
  const [kind, N, r, p, salt = "", hash = ""] = stored.split("$");
  const expected = Buffer.from(hash, "base64");
  if (kind !== "scrypt" || expected.length !== HASH_BYTES) return false;
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const actual = await derive(password, { salt: Buffer.from(salt, "base64"), ...cost });
  return timingSafeEqual(actual, expected);
}

function derive(
  password: string,
  { salt, ...cost }: { salt: Uint8Array; N: number; r: number; p: number },
): Promise<Buffer> {
  // The same text typed on different keyboards must be the same bytes.
  const text = password.normalize("NFKC");
  return new Promise((resolve, reject) => {
    scrypt(text, salt, HASH_BYTES, { ...cost, maxmem: 64 << 20 }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
