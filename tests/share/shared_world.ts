/** The story's world with a card that terminals may use, and a signing key on that card. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Lab } from "../lab/lab.ts";
import { sleep } from "../lab/machine.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import type { Box } from "../story/box.ts";
import type { Card } from "../story/card.ts";
import { openWorld } from "../story/open_world.ts";
import { PlainTeller } from "../story/teller.ts";
import type { World } from "../story/world.ts";

export const READER_PORT = 8444;

/** A guard against hanging, not a measure. */
const PATIENCE_MS = 60_000;

/** `more`: further lines of `[share]`. */
export async function openSharedWorld(
  identity: "sealed" | "on-card",
  more = `terminals = ["*"]`,
): Promise<World> {
  const tables = `\n[share]\nreader_port = ${READER_PORT}\n${more}\n`;
  return await openWorld({ hub: "stock", identity }, new PlainTeller(), { tables });
}

/**
 * Makes a P-256 key in 9A with a certificate, whose public half is `9a.pub` in the lab's folder.
 * `more`: shell lines for the same bench.
 */
export async function putSigningKey(lab: Lab, card: Card, more = ""): Promise<void> {
  await using machine = await lab.machine("bench");
  await machine.quickAckLoopback();
  await startPcscd(machine);
  const softcard = await startSoftcard(machine, { state: card.state });
  const { code, stderr } = await machine.run([
    "bash",
    "-euc",
    `cd ${lab.dir}
    openssl ecparam -name prime256v1 -genkey -noout -out ca.pem
    openssl req -new -x509 -key ca.pem -subj /CN=ca -out ca.crt -days 2
    openssl req -new -key ca.pem -subj /CN=holder -out holder.csr
    yubico-piv-tool -r Virtual -a generate -s 9a -A ECCP256 -o 9a.pub
    openssl x509 -req -in holder.csr -CA ca.crt -CAkey ca.pem -CAcreateserial \\
      -force_pubkey 9a.pub -days 2 -out 9a.crt
    yubico-piv-tool -r Virtual -a import-certificate -s 9a -i 9a.crt
    echo message > message
    ${more}`,
  ]);
  assert.equal(code, 0, stderr);
  await softcard.stop();
}

export interface JournalLine {
  readonly event: string;
  readonly detail: Record<string, string | number>;
}

/** The journal, oldest first, of events that begin so. */
export function journalOf(box: Box, prefix: string): JournalLine[] {
  using database = new DatabaseSync(`${box.state}/gateway.db`, { readOnly: true });
  return database.prepare("SELECT event, detail FROM journal ORDER BY id").all()
    .map(({ event, detail }) => ({ event: String(event), detail: JSON.parse(String(detail)) }))
    .filter(({ event }) => event.startsWith(prefix));
}

/** The same, once they are as wanted: an engine's word is on its way to the journal for a moment. */
export async function untilJournal(
  box: Box,
  prefix: string,
  isThere: (lines: readonly JournalLine[]) => boolean,
): Promise<JournalLine[]> {
  let lines = journalOf(box, prefix);
  for (const end = Date.now() + PATIENCE_MS; !isThere(lines); lines = journalOf(box, prefix)) {
    if (Date.now() > end) throw new Error(`Not in the journal: ${JSON.stringify(lines)}`);
    await sleep(50);
  }
  return lines;
}

/** Waits until this is so: what people and programs are told of the queue comes a moment after it. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !await isSo();) {
    if (Date.now() > end) throw new Error(`Waited in vain: ${what}`);
    await sleep(50);
  }
}
