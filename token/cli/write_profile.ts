/** What `issue` and `import` have in common: from fields and keys to a card that carries them. */
import { openPiv, withSession } from "./card.ts";
import { mustBeNew } from "./files.ts";
import type { Given } from "./options.ts";
import { hubFiles } from "./profile_files.ts";
import { sayIssued } from "./say_issued.ts";
import { openOpenPgp, writeForOpenPgp } from "./write_openpgp.ts";
import { writeTo } from "./write_piv.ts";
import { openStation, wipeKeys, type Writing } from "./writing.ts";

/** Signs, seals and writes a profile; says what was done. */
export async function writeProfile(given: Given, content: Writing): Promise<void> {
  const { keys } = content;
  try {
    const station = await openStation(given);
    const { peer, psk } = hubFiles(given, keys);
    const backup = given.text("backup-out");
    const bundle = given.text("bundle-out");
    for (const path of [peer, psk, backup, bundle, station.split?.shareOut]) mustBeNew(path);
    const request = { ...content, given, station, files: { peer, psk, backup, bundle } };
    const summary = await withSession(given.text("reader"), async (session) => {
      const piv = given.flag("openpgp") ? undefined : await openPiv(session);
      if (piv !== undefined) return await writeTo(piv, request);
      return await writeForOpenPgp(await openOpenPgp(session), request);
    });
    sayIssued(given, summary, station.asked.shown);
  } finally {
    wipeKeys(keys);
    content.pin?.fill(0);
  }
}
