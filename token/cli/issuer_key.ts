/** `token issuer-key`: the key that signs profiles. */
import { makeIssuerKey, readIssuerKey } from "../profile/issuer_key.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import { CommandError, UsageError } from "./errors.ts";
import { readText, writeSecret } from "./files.ts";
import { type Given, readOptions } from "./options.ts";

const HELP = `Usage: token issuer-key --out FILE
       token issuer-key --show FILE

Makes the issuer's Ed25519 key (JWK, readable by its owner only) and prints its public half, which
gateways are told to trust. Whoever has FILE can issue profiles: keep it on the issuing station.

  --out FILE    write a new key
  --show FILE   print the public half of a key that is there (JWK, or PEM as openssl writes it)
  --help        this text`;

/** Runs the command. */
export async function issuerKey(args: string[]): Promise<number> {
  const given = readOptions(args, { flags: { out: "text", show: "text" } });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [out, show] = [given.text("out"), given.text("show")];
  if ((out === undefined) === (show === undefined)) {
    throw new UsageError("Cannot tell what to do: give --out FILE or --show FILE");
  }
  if (show !== undefined) {
    console.log((await loadIssuer(show)).publicKey);
    return 0;
  }
  const { file, publicKey } = makeIssuerKey();
  await writeSecret(out ?? "", file);
  console.log(publicKey);
  return 0;
}

/** The signer that `--issuer FILE` names. */
export async function issuerOf(given: Given): Promise<IssuerSigner> {
  const path = given.text("issuer");
  if (path === undefined) throw new UsageError("Cannot sign a profile: --issuer FILE is missing");
  return await loadIssuer(path);
}

async function loadIssuer(path: string): Promise<IssuerSigner> {
  const signer = await readIssuerKey(await readText(path));
  if (signer === undefined) {
    throw new CommandError(
      `Cannot use ${path}: it is no Ed25519 private key; make one with token issuer-key`,
    );
  }
  return signer;
}
